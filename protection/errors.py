"""What can be refused in protection, each with a code that stays for ever."""

from collections.abc import Iterable

from drportal.errors import DomainError, Kind


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
        names = ", ".join(sorted({str(user) for user in users}))
        super().__init__(f"{account} cannot be deleted: {names} need it.")


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
