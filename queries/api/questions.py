"""The base of every question over HTTP: GET only, and recorded like every read."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from audit.api.views import RecordedViewSet
from drportal.errors import InvalidInput
from protection.models import TargetAccount
from protection.selectors import accounts_for
from queries.accounts import account_meant, account_named, region_meant

_DIGITS = 18  # of a number that PostgreSQL can compare with


def parameter(
    name: str, description: str, kind: Any = OpenApiTypes.STR, *, required: bool = False
) -> OpenApiParameter:
    """A parameter of a question, for `extend_schema`."""
    return OpenApiParameter(name, kind, description=description, required=required)


ACCOUNT = parameter(
    "accountId",
    "12 digits, or the portal's id. May be left out by who may see one account only: none is "
    "ever guessed.",
)
REGION = parameter("region", "An AWS Region that has DRS.", required=True)
FRESH = parameter("fresh", "Ask AWS now instead of answering with what is kept.", OpenApiTypes.BOOL)


class QuestionViewSet(RecordedViewSet):
    """A question. The names of parameters and answers are those of the reference system, whose
    paths these are.
    """

    http_method_names = ["get", "head"]

    def seen(self) -> QuerySet[Any]:
        return accounts_for(self.request.user)

    def named_account(self) -> TargetAccount:
        """The account in the path. Raises NotFound."""
        return self.named(self.kwargs["account"])

    def named(self, name: str) -> TargetAccount:
        """The account of this name. Raises NotFound."""
        return self._about(account_named(self.request.user, name))

    def meant_account(self) -> TargetAccount:
        """The account in `accountId`, or the only one that there is to see."""
        return self._about(account_meant(self.request.user, self.text("accountId")))

    def meant_region(self) -> str:
        """The Region in `region`. Raises what `region_meant` does."""
        return region_meant(self.text("region"))

    def text(self, name: str) -> str:
        """A parameter, trimmed; empty if it was not given."""
        return str(self.request.query_params.get(name, "")).strip()

    def flag(self, name: str) -> bool:
        """A parameter that is true or false; false if it was not given."""
        given = self.text(name)
        if given not in {"", "true", "false"}:
            raise InvalidInput.field(name, "invalid", "Give true or false.")
        return given == "true"

    def whole(self, name: str) -> int | None:
        """A parameter that is a whole number from 0 on; None if it was not given."""
        return whole(name, self.text(name) or None)

    def uuid(self, name: str) -> UUID | None:
        """A parameter that is an id of the portal's; None if it was not given."""
        given = self.text(name)
        try:
            return UUID(given) if given else None
        except ValueError as error:
            raise InvalidInput.field(name, "invalid", "This is no id.") from error

    def following(self) -> str | None:
        """Where the next page is, after `paginate_queryset`; None on the last."""
        found: str | None = self.get_paginated_response([]).data["next"]
        return found

    def _about(self, account: TargetAccount) -> TargetAccount:
        self.found = account
        return account


def whole(name: str, given: object) -> int | None:
    """`given` as a whole number from 0 on. Raises InvalidInput about `name`."""
    if given is None:
        return None
    text = str(given)
    if not text.isascii() or not text.isdecimal() or len(text) > _DIGITS:
        raise InvalidInput.field(name, "invalid", "Give a whole number from 0 on.")
    return int(text)
