from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

DEFAULT_HUB = "123456789012"

_ACCOUNT_ID = re.compile(r"\d{12}")
_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/(?:.+/)?([\w+=,.@-]+)")
_ASSUMED_ROLE_ARN = re.compile(r"arn:[\w-]+:sts::(\d{12}):assumed-role/([\w+=,.@-]+)/.+")


@dataclass
class Role:
    """A role that may be assumed: by whom (`trust`), and with which ExternalId, if any.

    `trust` holds account ids, account roots, role or assumed-role ARNs, or "*". `policy` is what
    the role may do (`drportal.simulator.policies`); without one, everything.
    """

    arn: str
    trust: list[str]
    external_id: str | None = None
    policy: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not _ROLE_ARN.fullmatch(self.arn):
            raise ValueError(f"{self.arn!r} is not the ARN of a role.")

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    def trusts(self, principal: str) -> bool:
        """Whether the caller whose ARN is `principal` is named by the trust policy."""
        return any(_names(entry, principal) for entry in self.trust)


def _names(entry: str, principal: str) -> bool:
    if entry in ("*", principal):
        return True
    account = principal.split(":")[4]
    if entry in (account, f"arn:{principal.split(':')[1]}:iam::{account}:root"):
        return True
    role, session = _ROLE_ARN.fullmatch(entry), _ASSUMED_ROLE_ARN.fullmatch(principal)
    return bool(role and session and role.groups() == session.groups())


@dataclass
class Account:
    """An account of the company. `not_opted_in` are the opt-in Regions it has not enabled, and
    `forbidden` patterns of the actions that the organization's policies deny there.
    """

    id: str
    name: str
    not_opted_in: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not _ACCOUNT_ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is not an account id: twelve digits.")


@dataclass(frozen=True)
class Session:
    """A role session that STS has given out: its ARN and its end."""

    arn: str
    expires_at: datetime


class Registry:
    """The accounts and roles of the simulated world. `hub` is the account of any dummy key."""

    def __init__(self, hub: str = DEFAULT_HUB) -> None:
        self.hub = hub
        self.accounts: dict[str, Account] = {}
        self.roles: dict[str, Role] = {}
        self._sessions: dict[str, Session] = {}

    def remember(self, access_key: str, session: Session) -> None:
        self._sessions[access_key] = session

    def session(self, access_key: str) -> Session | None:
        """The role session that a key belongs to; None for any other key."""
        return self._sessions.get(access_key)

    def add_account(self, account: Account) -> Account:
        self.accounts[account.id] = account
        return account

    def add_role(self, role: Role) -> Role:
        self.roles[role.arn] = role
        return role

    def remove_role(self, arn: str) -> None:
        del self.roles[arn]

    def role_named(self, account: str, name: str) -> Role | None:
        """The role of this name in the account, whatever its path."""
        for role in self.roles.values():
            if role.account == account and role.name == name:
                return role
        return None

    def role_of(self, session: Session) -> Role | None:
        """The role that a session is of."""
        match = _ASSUMED_ROLE_ARN.fullmatch(session.arn)
        return self.role_named(*match.groups()) if match else None

    def forbidden_in(self, account: str) -> set[str]:
        """The patterns of actions that the organization denies in an account."""
        known = self.accounts.get(account)
        return known.forbidden if known else set()

    def opted_in(self, account: str, region: str) -> bool:
        """Accounts the world was told nothing about have every Region."""
        known = self.accounts.get(account)
        return known is None or region not in known.not_opted_in

    def may_assume(self, arn: str, *, principal: str, external_id: str | None) -> bool:
        """Whether STS would let `principal` assume the role with this ExternalId.

        A role without an ExternalId condition accepts a call that passes none; one that passes an
        ExternalId nobody asked for is refused here, which is stricter than STS and finds mistakes.
        """
        role = self.roles.get(arn)
        return role is not None and role.trusts(principal) and role.external_id == external_id
