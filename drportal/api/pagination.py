"""Lists in pages. A cursor says after which row to go on, so rows that come and go meanwhile
neither shift a page nor show a row twice.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django.core import signing
from django.db.models import Model, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from drportal.errors import InvalidInput

PAGE, MOST = 50, 200


class Pages(BasePagination):
    """Pages by keyset: `keys` order the rows, and the last of them is unique.

    `cursor` is opaque, signed and good for this order only; `page_size` is 1 to 200.
    """

    keys: ClassVar[tuple[str, ...]]
    parameters: ClassVar[frozenset[str]] = frozenset({"cursor", "page_size"})

    def paginate_queryset(
        self,
        queryset: QuerySet[Any] | Sequence[Any],
        request: Request,
        view: APIView | None = None,  # noqa: ARG002  # DRF's signature
    ) -> list[Any]:
        if not isinstance(queryset, QuerySet):
            raise TypeError("only what the database orders can be paged")
        self._request = request
        size = _size(request.query_params.get("page_size"))
        cursor = request.query_params.get("cursor")
        if cursor is not None:
            queryset = queryset.filter(self._after(self._position(cursor)))
        rows = list(queryset.order_by(*self.keys)[: size + 1])
        self._next = self._cursor(rows[size - 1]) if len(rows) > size else None
        return rows[:size]

    def get_paginated_response(self, data: Any) -> Response:
        here = self._request.build_absolute_uri()
        following = replace_query_param(here, "cursor", self._next) if self._next else None
        return Response({"next": following, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        following = {
            "type": "string",
            "nullable": True,
            "format": "uri",
            "description": "The next page; null on the last.",
        }
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": following, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:  # noqa: ARG002  # DRF's signature
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "Where to go on: part of the `next` of the page before.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "description": "How many rows to answer.",
                "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": PAGE},
            },
        ]

    @property
    def _fields(self) -> list[str]:
        return [key.removeprefix("-") for key in self.keys]

    @property
    def _salt(self) -> str:
        return "api.cursor:" + ",".join(self.keys)

    def _cursor(self, row: Model) -> str:
        values = [
            type(row)._meta.get_field(field).value_to_string(row)  # type: ignore[union-attr]  # own columns only
            for field in self._fields
        ]
        return signing.dumps(values, salt=self._salt)

    def _position(self, cursor: str) -> Sequence[str]:
        try:
            values: list[str] = signing.loads(cursor, salt=self._salt)
        except (signing.BadSignature, ValueError) as error:
            message = "This cursor is not one of this list's."
            raise InvalidInput.field("cursor", "invalid_cursor", message) from error
        return values

    def _after(self, position: Sequence[str]) -> Q:
        """Rows after `position`: equal in the first keys and beyond it in the next one."""
        conditions = []
        equal = Q()
        for key, field, value in zip(self.keys, self._fields, position, strict=True):
            beyond = "lt" if key.startswith("-") else "gt"
            conditions.append(equal & Q(**{f"{field}__{beyond}": value}))
            equal &= Q(**{field: value})
        return reduce(or_, conditions)


class NewestFirst(Pages):
    """What was made last comes first."""

    keys = ("-created_at", "id")


class LatestStartFirst(Pages):
    """What began last comes first."""

    keys = ("-started_at", "id")


class LatestFirst(Pages):
    """What was written last comes first, by a number that grows."""

    keys = ("-id",)


class HighestVersionFirst(Pages):
    """The newest version comes first."""

    keys = ("-number",)


class ByName(Pages):
    """In the order of names."""

    keys = ("name", "id")


class ByRegion(Pages):
    """In the order of Regions."""

    keys = ("region", "id")


def _size(wanted: str | None) -> int:
    if wanted is None:
        return PAGE
    if not wanted.isascii() or not wanted.isdecimal() or not 1 <= int(wanted[:9]) <= MOST:
        message = f"A page has 1 to {MOST} rows."
        raise InvalidInput.field("page_size", "invalid", message)
    return int(wanted)
