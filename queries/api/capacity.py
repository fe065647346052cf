"""How full accounts and Regions are, and what their quotas are."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from drportal.api.access import Needs
from protection.permissions import AccountPermission
from queries.api.capacity_serializers import CapacityOut, QuotasOut
from queries.api.questions import ACCOUNT, FRESH, QuestionViewSet, parameter
from queries.capacity import capacity_of, capacity_seen, quotas_of_account

_SEES = Needs.to_see(AccountPermission.VIEW)


class CapacityViewSet(QuestionViewSet):
    """Capacity."""

    needs = {"retrieve": _SEES, "everything": _SEES, "quotas": _SEES}
    parameters = {
        "retrieve": frozenset({"fresh"}),
        "everything": frozenset({"fresh"}),
        "quotas": frozenset({"accountId", "region", "fresh"}),
    }
    serializer_class = CapacityOut
    pagination_class = None
    filter_backends = ()

    @extend_schema(parameters=[FRESH], responses=CapacityOut)
    def retrieve(self, _: Request, **__: str) -> Response:
        """How full an account is, with the staging accounts that serve it.

        Every quota holds for one account in one Region, so there is no limit of an account or of
        all: counts are added up, and limits only over the accounts of one Region. A count that
        misses something is a least, says what is missing, and is never OK.
        """
        return Response(
            CapacityOut(capacity_of(self.named_account(), fresh=self.flag("fresh"))).data
        )

    @extend_schema(parameters=[FRESH], responses=CapacityOut)
    def everything(self, request: Request) -> Response:
        """How full all accounts are that one may see, with the staging accounts that serve them."""
        return Response(CapacityOut(capacity_seen(request.user, fresh=self.flag("fresh"))).data)

    @extend_schema(
        parameters=[
            ACCOUNT,
            parameter("region", "Only this Region; left out, every Region that is in use."),
            FRESH,
        ],
        responses=QuotasOut,
    )
    def quotas(self, _: Request) -> Response:
        """The quotas of an account, with what is used of them: servers, jobs, servers in jobs.

        Per Region, for so AWS counts. Each limit says whether Service Quotas named it.
        """
        region = self.meant_region() if self.text("region") else ""
        found = quotas_of_account(self.meant_account(), region=region, fresh=self.flag("fresh"))
        return Response(QuotasOut(found).data)
