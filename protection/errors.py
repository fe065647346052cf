"""What can be refused in protection, each with a code that stays for ever."""

from collections.abc import Iterable, Mapping
from typing import Any

from drportal.errors import DomainError, InvalidInput, Kind

_SHOWN = 20  # names in a sentence


class AccountAlreadyRegistered(DomainError):
    """The account id is taken."""

    code = "protection.account_already_registered"
    kind = Kind.CONFLICT
    known_as = "ACCOUNT_EXISTS"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"Account {account_id} is registered already.", account_id=account_id)


class HubAlreadyRegistered(DomainError):
    """There is one hub."""

    code = "protection.hub_already_registered"
    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__("A hub account is registered already; there can be one only.")


class AccountInUse(DomainError):
    """Groups or executions still need the account."""

    code = "protection.account_in_use"
    kind = Kind.CONFLICT

    def __init__(self, account: object, users: Iterable[object]) -> None:
        names = sorted({str(user) for user in users})
        shown = ", ".join(names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        what = f"{account} cannot be deleted: {shown}{more} need it."
        super().__init__(what, needed_by=names)


class GroupNameTaken(DomainError):
    """Names are unique regardless of case."""

    code = "protection.group_name_taken"
    kind = Kind.CONFLICT
    known_as = "PG_NAME_EXISTS"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a protection group named {name} already.", name=name)


class GroupIsEmpty(DomainError):
    """A group that would hold no server."""

    code = "protection.group_empty"
    kind = Kind.INVALID


class ServerInAnotherGroup(DomainError):
    """A server is in one explicit group at most."""

    code = "protection.server_in_another_group"
    kind = Kind.CONFLICT
    known_as = "SERVER_CONFLICT"

    def __init__(self, held: Iterable[tuple[str, str]]) -> None:
        where = "; ".join(f"{server} is in {group}" for server, group in sorted(held))
        super().__init__(f"A server can be in one group of explicit servers only: {where}.")


class GroupInUse(DomainError):
    """Plans still need the group."""

    code = "protection.group_in_use"
    kind = Kind.CONFLICT
    known_as = "PG_IN_USE"

    def __init__(self, group: object, users: Iterable[object]) -> None:
        names = ", ".join(sorted({str(user) for user in users}))
        super().__init__(f"{group} cannot be deleted: {names}.")


class SyncAlreadyRunning(DomainError):
    """One run of a sync at a time."""

    code = "protection.sync_already_running"
    kind = Kind.CONFLICT
    known_as = "ALREADY_RUNNING"

    def __init__(self, run: object) -> None:
        super().__init__(f"A sync of this kind is running already: {run}.")


class MissingField(InvalidInput):
    """Something that has to be said was not."""

    known_as = "MISSING_FIELD"


class InvalidName(InvalidInput):
    """A name that nothing can have."""

    known_as = "INVALID_NAME"


class InvalidTags(InvalidInput):
    """Tags that no group can have."""

    known_as = "INVALID_TAGS"


class InvalidServers(InvalidInput):
    """Servers that the group cannot hold."""

    known_as = "INVALID_SERVERS"


class TagsTaken(DomainError):
    """Two groups of an account and Region never have equal tags."""

    code = "protection.tags_taken"
    kind = Kind.CONFLICT
    known_as = "TAG_CONFLICT"

    def __init__(self, tags: Mapping[str, str], holder: str) -> None:
        pairs = ", ".join(f"{key}={value}" for key, value in sorted(tags.items()))
        super().__init__(
            f"The group {holder} of the same account and Region has exactly these tags: {pairs}.",
            group=holder,
        )


class GroupsOverlap(DomainError):
    """Servers that other groups have already, which nobody has allowed.

    `shared` holds each server's name and DRS id with the groups that have it; the context too.
    """

    code = "protection.groups_overlap"
    kind = Kind.CONFLICT
    known_as = "SERVER_CONFLICT"

    def __init__(self, shared: Iterable[tuple[str, str, Iterable[str]]]) -> None:
        rows = sorted((name, server, sorted(groups)) for name, server, groups in shared)
        told = "; ".join(f"{name} is in {', '.join(groups)}" for name, _, groups in rows[:20])
        more = f"; and {len(rows) - 20} more" if len(rows) > 20 else ""  # noqa: PLR2004  # as above
        super().__init__(
            f"Servers would be in more than one group: {told}{more}. Allow it if that is meant.",
            servers=[
                {"name": name, "server_id": server, "groups": groups}
                for name, server, groups in rows
            ],
        )


class GroupChanged(DomainError):
    """Somebody else saved the group first. The context holds both versions, `yours` and `current`,
    each with its number and its document (None if that version was never kept).
    """

    code = "protection.group_changed"
    kind = Kind.CONFLICT
    known_as = "VERSION_CONFLICT"

    def __init__(
        self, group: object, *, yours: Mapping[str, Any], current: Mapping[str, Any]
    ) -> None:
        super().__init__(
            f"{group} was changed meanwhile: you began with version {yours['version']}, and it is "
            f"at version {current['version']} now.",
            yours=dict(yours),
            current=dict(current),
        )


class GroupHeld(DomainError):
    """Something relies on the group as it is."""

    code = "protection.group_held"
    kind = Kind.CONFLICT
    known_as = "PG_IN_ACTIVE_EXECUTION"

    def __init__(self, group: object, holders: Iterable[str]) -> None:
        told = list(holders)
        super().__init__(
            f"{group} cannot be changed while it is needed as it is, by: {', '.join(told)}.",
            holders=told,
        )


class NoSuchVersion(DomainError):
    """A version that there never was, or that was not kept."""

    code = "protection.no_such_version"
    kind = Kind.NOT_FOUND
    known_as = "NOT_FOUND"

    def __init__(self, group: object, number: int) -> None:
        super().__init__(f"{group} has no version {number}.", version=number)


class MissingParameter(InvalidInput):
    """What a question cannot be answered without."""

    known_as = "MISSING_PARAMETER"


class InvalidParameter(InvalidInput):
    """What a question cannot be answered with."""

    known_as = "INVALID_PARAMETER"


class InvalidLaunchSettings(InvalidInput):
    """Launch settings that cannot be kept. What an address collides with stands beside the code of
    its complaint, as `conflictingResource`.
    """

    known_as = "INVALID_LAUNCH_CONFIG"

    def __init__(self, complaints: Iterable[Mapping[str, Any]]) -> None:
        errors = [dict(complaint) for complaint in complaints]
        told = " ".join(str(error["message"]) for error in errors[:5])
        told = told or "The launch settings cannot be kept."
        more = f" There are {len(errors) - 5} more." if len(errors) > 5 else ""  # noqa: PLR2004  # as above
        DomainError.__init__(self, told + more, errors=errors)


class LaunchSettingsChanged(DomainError):
    """Somebody else saved the launch settings, or those that they build on, first."""

    code = "protection.launch_settings_changed"
    kind = Kind.CONFLICT
    known_as = "VERSION_CONFLICT"

    def __init__(self, settings: object, *, yours: int, current: int) -> None:
        super().__init__(
            f"The {settings} were changed meanwhile: you began with version {yours}, and they are "
            f"at version {current} now.",
            yours=yours,
            current=current,
        )


class ApplyInProgress(DomainError):
    """One applying of a group's launch settings at a time."""

    code = "protection.apply_in_progress"
    kind = Kind.CONFLICT
    known_as = "SYNC_IN_PROGRESS"

    def __init__(self, apply: object, *, apply_id: object) -> None:
        super().__init__(
            f"The {apply} are being applied already. One that stops is taken over by itself.",
            apply_id=str(apply_id),
        )


class NothingToApply(DomainError):
    """There is no launch setting, or no server, that could be applied."""

    code = "protection.nothing_to_apply"
    kind = Kind.INVALID
    known_as = "INVALID_STATE"


class HolderGone(DomainError):
    """What was to be applied for something is no longer needed by it."""

    code = "protection.holder_gone"
    kind = Kind.CONFLICT

    def __init__(self, group: object) -> None:
        super().__init__(f"{group} is no longer held by what its settings were to be applied for.")


class StagingAccountAlreadyLinked(DomainError):
    """The target has the staging account already."""

    code = "protection.staging_account_already_linked"
    kind = Kind.CONFLICT
    known_as = "STAGING_ACCOUNT_EXISTS"

    def __init__(self, target: object, account_id: str) -> None:
        super().__init__(
            f"{target} has the staging account {account_id} already.", account_id=account_id
        )


class StagingAccountDiffers(DomainError):
    """The staging account is known, through another target, and not as it is given now."""

    code = "protection.staging_account_differs"
    kind = Kind.CONFLICT

    def __init__(self, account_id: str, fields: Iterable[str]) -> None:
        differing = sorted(fields)
        words = " and ".join(field.replace("_", " ").replace("arn", "ARN") for field in differing)
        super().__init__(
            f"Staging account {account_id} serves another target already, with another {words}. "
            "Leave that out to link it as it is known, or edit the staging account.",
            account_id=account_id,
            fields=differing,
        )


class TagSyncSettingsChanged(DomainError):
    """Somebody else saved the settings in between."""

    code = "protection.tag_sync_settings_changed"
    kind = Kind.CONFLICT
    known_as = "VERSION_CONFLICT"

    def __init__(self, *, given: int, current: int) -> None:
        super().__init__(
            f"The settings were saved by somebody else: they are at version {current}, not at "
            f"{given}. Look at them again.",
            given_version=given,
            current_version=current,
        )


class ScheduleMissing(DomainError):
    """A task that beat does not know cannot be switched on."""

    code = "protection.schedule_missing"
    kind = Kind.INVALID
    known_as = "RULE_NOT_FOUND"

    def __init__(self, task: str) -> None:
        super().__init__(
            f"Beat has no schedule for {task}. The command sync_schedules adds it.", task=task
        )


class InvalidAccount(InvalidInput):
    """Something about an account has the wrong form."""

    known_as = "INVALID_FORMAT"


class InvalidRoleArn(InvalidInput):
    """What was given is not the ARN of a role in the account."""

    known_as = "INVALID_ROLE_ARN"


class HubHasNoRole(InvalidInput):
    """The hub is entered with the portal's own credentials."""

    known_as = "SAME_ACCOUNT_NO_ROLE_NEEDED"


class ValidationAlreadyRunning(DomainError):
    """One validation of an account at a time."""

    code = "protection.validation_already_running"
    kind = Kind.CONFLICT
    known_as = "ALREADY_RUNNING"

    def __init__(self, account: object, validation_id: object) -> None:
        super().__init__(f"{account} is being validated already.", validation_id=str(validation_id))


class NoRoleTemplate(DomainError):
    """There is nothing to make the role's template of."""

    code = "protection.no_role_template"
    kind = Kind.CONFLICT

    @classmethod
    def of_hub(cls, account: object) -> "NoRoleTemplate":
        """The hub has no role that a template could make."""
        return cls(f"{account} is the hub: it is entered without a role.")

    @classmethod
    def without_external_id(cls, account: object) -> "NoRoleTemplate":
        """A role that asks for no external id can be entered on somebody else's behalf."""
        return cls(f"{account} has no external id. Give it one first.")

    @classmethod
    def without_hub(cls, why: str) -> "NoRoleTemplate":
        """Nobody knows whom the role would have to trust."""
        what = "The portal's own account is not known, so the role would trust nobody"
        return cls(f"{what}: register the hub. {why}")
