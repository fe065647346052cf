"""What a question can be refused with, each with a code that stays for ever."""

from drportal.errors import DomainError, Kind
from protection.choices import RegionStatus


class AccountNotNamed(DomainError):
    """Several accounts could be meant, or none can be seen, and none was named."""

    code = "queries.account_not_named"
    kind = Kind.INVALID
    known_as = "MISSING_PARAMETER"

    def __init__(self, seen: int) -> None:
        which = f"{seen} accounts can be seen" if seen else "no account can be seen"
        super().__init__(f"Name the account with accountId: {which}, so none is taken for it.")


class RegionNotNamed(DomainError):
    """A question about one Region did not name it."""

    code = "queries.region_not_named"
    kind = Kind.INVALID
    known_as = "MISSING_PARAMETER"

    def __init__(self) -> None:
        super().__init__("Name the Region with region.")


class _OfRegion(DomainError):
    """An account's Region cannot be read. `initialized` is null where that is not known."""

    initialized: bool | None = None

    def __init__(self, *, account_id: str, region: str, why: str, retry_after: float | None = None):
        super().__init__(
            f"{self.words} in {region} of account {account_id}: {why or 'nothing more is known'}",
            account_id=account_id,
            region=region,
            initialized=self.initialized,
            retry_after=retry_after,
        )

    words = ""


class DrsNotInitialized(_OfRegion):
    """DRS was never initialized there: it holds no servers, which is not the same as none."""

    code = "queries.drs_not_initialized"
    kind = Kind.INVALID
    known_as = "DRS_NOT_INITIALIZED"
    initialized = False
    words = "DRS is not initialized"


class RegionNotEnabled(_OfRegion):
    """The account has not enabled the Region."""

    code = "queries.region_not_enabled"
    kind = Kind.INVALID
    known_as = "REGION_NOT_ENABLED"
    initialized = False
    words = "The Region is not enabled"


class RegionAccessDenied(_OfRegion):
    """The portal's role may not look there."""

    code = "queries.region_access_denied"
    kind = Kind.FORBIDDEN
    known_as = "REGION_ACCESS_DENIED"
    words = "Access is denied"


class AwsDidNotAnswer(_OfRegion):
    """AWS gave no answer that could be shown."""

    code = "queries.aws_did_not_answer"
    kind = Kind.UNAVAILABLE
    known_as = "DRS_ERROR"
    words = "AWS did not answer"


_BY_STATUS: dict[str, type[_OfRegion]] = {
    RegionStatus.NOT_INITIALIZED: DrsNotInitialized,
    RegionStatus.REGION_NOT_OPTED_IN: RegionNotEnabled,
    RegionStatus.REGION_NOT_ENABLED: RegionNotEnabled,
    RegionStatus.IAM_PERMISSION_DENIED: RegionAccessDenied,
    RegionStatus.SCP_DENIED: RegionAccessDenied,
}


def of_status(
    status: str, *, account_id: str, region: str, why: str, retry_after: float | None = None
) -> DomainError:
    """The refusal for an account's Region that stands so (a `RegionStatus`) when it is asked."""
    made = _BY_STATUS.get(status, AwsDidNotAnswer)
    return made(account_id=account_id, region=region, why=why, retry_after=retry_after)
