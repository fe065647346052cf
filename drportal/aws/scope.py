"""Where AWS is asked. There is no default account and no default Region."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account and the way into it. Without a role it is the hub: the portal's own.

    If the external id is lost, it is not tried without.
    """

    account_id: str
    role_arn: str = ""
    external_id: str = field(default="", repr=False)
    external_id_lost: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """One account in one Region: every call to AWS is made in one."""

    account: Account
    region: str

    @property
    def account_id(self) -> str:
        return self.account.account_id

    @property
    def key(self) -> tuple[str, str]:
        """(account id, Region): what every fact from AWS is filed under."""
        return self.account.account_id, self.region

    def __str__(self) -> str:
        return f"{self.account_id}/{self.region}"
