"""What the checks of a validation come to, and what to do about those that did not pass."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from drportal.aws.errors import PASSING, AwsError, Failure
from protection.choices import CheckState, ValidationState

_AGAIN: Final = "Validate again in a few minutes."
_TEMPLATE: Final = "Download the role's template here and update its stack in the account."


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found, and what to do about it. Without a Region, of the whole account."""

    name: str
    state: CheckState
    detail: str
    remedy: str = ""
    region: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As `AccountValidation.checks` keeps it."""
        return asdict(self) | {"state": str(self.state)}


def passed(name: str, detail: str, *, region: str = "") -> Check:
    """A check that found all as it must be."""
    return Check(name, CheckState.PASSED, detail, region=region)


def overall(checks: Iterable[Check]) -> ValidationState:
    """Passed if all are, failed if one failed; else unknown. No check at all is unknown too."""
    states = {check.state for check in checks}
    if CheckState.FAILED in states:
        return ValidationState.FAILED
    return ValidationState.PASSED if states == {CheckState.PASSED} else ValidationState.UNKNOWN


def refused(name: str, error: AwsError, *, remedy: str = "", region: str = "") -> Check:
    """What AWS's refusal says: that it is wrong, or, where it did not answer, nothing.

    `remedy` is for a refusal that no other word fits.
    """
    state = CheckState.FAILED if error.failure in _CERTAIN else CheckState.UNKNOWN
    words = _REMEDIES.get(error.failure) or remedy or _LOOK
    if error.failure in PASSING:
        words = _AGAIN
    return Check(name, state, error.message, words, region)


def not_entered(error: AwsError, *, hub: bool) -> Check:
    """That the account could not be entered, and what of."""
    if error.passing:
        return refused("role", error)
    if hub:
        return Check(
            "role",
            CheckState.FAILED,
            error.message,
            "The portal must run with credentials of this account: see the settings of its "
            "processes, or register the account that it does run in as the hub.",
        )
    remedy = (
        "See that the role exists in the account, trusts the portal's account and asks for the "
        f"external id that is registered. {_TEMPLATE}"
    )
    if error.failure is Failure.SCP_DENIED:
        remedy = _REMEDIES[Failure.SCP_DENIED]
    state = CheckState.UNKNOWN if error.failure is Failure.OTHER else CheckState.FAILED
    return Check("role", state, error.message, remedy)


_LOOK: Final = "Look at AWS's message; if it says nothing that can be changed, validate again."
# After these AWS has said no; after the rest nobody knows.
_CERTAIN: Final = frozenset(
    {
        Failure.ACCESS_DENIED,
        Failure.SCP_DENIED,
        Failure.CREDENTIALS,
        Failure.NOT_INITIALIZED,
        Failure.REGION_NOT_OPTED_IN,
    }
)
_REMEDIES: Final = {
    Failure.ACCESS_DENIED: f"The role may not do this. {_TEMPLATE}",
    Failure.SCP_DENIED: (
        "A policy of the organization denies it. Whoever manages the organization has to let "
        "this account do it in this Region."
    ),
    Failure.CREDENTIALS: (
        "The Region does not take the account's credentials: enable it for the account."
    ),
    Failure.NOT_INITIALIZED: "Initialize DRS in this Region of the account.",
    Failure.REGION_NOT_OPTED_IN: "Enable the Region for the account.",
}


def lacking(
    actions: Iterable[str], by_organization: Iterable[str], *, hub: bool, region: str
) -> Check:
    """That the role may not do `actions`, and the organization denies `by_organization`."""
    own, forbidden = sorted(set(actions)), sorted(set(by_organization))
    details, remedies = [], []
    if own:
        details.append(f"It may not do {', '.join(own)}.")
        remedies.append("Let the portal's own role do these." if hub else _TEMPLATE)
    if forbidden:
        details.append(f"The organization denies {', '.join(forbidden)}.")
        remedies.append(_REMEDIES[Failure.SCP_DENIED])
    return Check("permissions", CheckState.FAILED, " ".join(details), " ".join(remedies), region)
