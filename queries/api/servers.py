"""Source servers, as whoever makes a group chooses among them."""

import json
from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from drportal.api.access import Needs
from drportal.api.pagination import ByName
from drportal.api.schema import refusal
from drportal.errors import InvalidInput
from protection.permissions import ServerPermission
from queries.api.questions import ACCOUNT, FRESH, REGION, QuestionViewSet, parameter, whole
from queries.api.server_serializers import InventoryOut, ServersOut
from queries.inventory import Wanted, inventory, servers_of

_SEES = Needs.to_see(ServerPermission.VIEW)
_FILTERS = {
    "hostname": "Part of the host name, in any case.",
    "replicationState": "As DRS spells it.",
    "stagingAccountId": "The account that it is extended from.",
    "sourceAccountId": "The account that it comes from.",
    "minCpuCores": "At least so many cores.",
    "minRamBytes": "At least so much memory.",
}
_PLACES = {
    "accountId": "The account that manages it: 12 digits, or the portal's id.",
    "region": "A Region.",
    "regions": "Several Regions, with commas between them.",
}


class ServersViewSet(QuestionViewSet):
    """Source servers to choose among."""

    needs = {"of_region": _SEES, "inventory": _SEES}
    lists = frozenset({"of_region", "inventory"})
    parameters = {
        "of_region": frozenset({"region", "accountId", "currentProtectionGroupId", "fresh"}),
        "inventory": frozenset({*_FILTERS, *_PLACES, "filters"}),
    }
    serializer_class = ServersOut
    pagination_class = ByName
    filter_backends = ()

    @extend_schema(
        parameters=[
            REGION,
            ACCOUNT,
            parameter(
                "currentProtectionGroupId",
                "The group that is being edited: what it has is still selectable.",
                OpenApiTypes.UUID,
            ),
            FRESH,
        ],
        responses={
            200: ServersOut,
            **refusal(
                503, "AWS did not answer, and the Region was never listed, or `fresh` was given."
            ),
        },
    )
    def of_region(self, request: Request) -> Response:
        """The servers of one account and Region, with the groups that have each of them.

        From the inventory, in pages by name, with its age; a Region that does not answer now is
        shown as it was last listed, and `where.stale` says so. With `fresh`, or of a Region that
        was never asked, from DRS itself and all at once. A Region without DRS is refused: 400
        DRS_NOT_INITIALIZED or REGION_NOT_ENABLED, 403 REGION_ACCESS_DENIED.
        """
        found = servers_of(
            request.user,
            self.meant_account(),
            self.meant_region(),
            page=self.paginate_queryset,
            current_group=self.uuid("currentProtectionGroupId"),
            fresh=self.flag("fresh"),
        )
        following = self.following() if found.source == "inventory" else None
        return Response(ServersOut(found).data | {"next": following})

    @extend_schema(
        parameters=[
            *(parameter(name, said) for name, said in (_PLACES | _FILTERS).items()),
            parameter(
                "filters",
                'The filters as one JSON object: `{"minCpuCores": 4}`. One that is given '
                "by itself as well must say the same.",
            ),
        ],
        responses=InventoryOut,
    )
    def inventory(self, request: Request) -> Response:
        """The source servers of all accounts that one may see, chosen by what they are.

        `sourceAccountId` is where a server comes from and `stagingAccountId` where it is extended
        from; `accountId` is the account that manages it.
        """
        found = inventory(request.user, self._wanted(), page=self.paginate_queryset)
        shown = InventoryOut(
            {
                "next": None,
                "count": len(found.servers),
                "total": found.total,
                "undecided": found.undecided,
                "source": "inventory",
                "where": found.where,
                "servers": found.servers,
            }
        )
        return Response(shown.data | {"next": self.following()})

    def _wanted(self) -> Wanted:
        given = self._filters()
        account = self.text("accountId")
        regions = [name.strip() for name in self.text("regions").split(",") if name.strip()]
        regions += [self.text("region")] if self.text("region") else []
        return Wanted(
            account_id=self.named(account).account_id if account else "",
            regions=tuple(regions),
            hostname=given.get("hostname", ""),
            replication_state=given.get("replicationState", ""),
            staging_account_id=given.get("stagingAccountId", ""),
            source_account_id=given.get("sourceAccountId", ""),
            min_cpu_cores=whole("minCpuCores", given.get("minCpuCores")),
            min_ram_bytes=whole("minRamBytes", given.get("minRamBytes")),
        )

    def _filters(self) -> dict[str, str]:
        alone = {name: self.text(name) for name in _FILTERS if self.text(name)}
        together = _object(self.text("filters"))
        for name, value in together.items():
            if name not in _FILTERS:
                message = f"There is no filter {name[:100]!r}."
                raise InvalidInput.field("filters", "unknown_parameter", message)
            if alone.get(name, value) != value:
                message = f"{name} is given twice, and not alike."
                raise InvalidInput.field("filters", "repeated_parameter", message)
        return alone | together


def _object(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput.field("filters", "invalid", "This is not JSON.") from error
    if not isinstance(found, Mapping) or not all(
        isinstance(value, str | int) and not isinstance(value, bool) for value in found.values()
    ):
        message = "Give an object of texts and whole numbers."
        raise InvalidInput.field("filters", "invalid", message)
    if any("\x00" in str(value) for value in found.values()):
        raise InvalidInput.field("filters", "invalid", "Text holds no NUL character.")
    return {str(name): str(value).strip() for name, value in found.items()}
