"""Target accounts and their Regions."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import ByRegion
from protection.api.examples import ACCOUNT
from protection.api.filters import AccountFilters
from protection.api.serializers import AccountEdit, AccountIn, AccountOut, RegionOut
from protection.permissions import AccountPermission
from protection.selectors import accounts_for
from protection.services import accounts


class AccountViewSet(RecordedViewSet):
    """Target accounts."""

    needs = {
        "list": Needs.to_see(AccountPermission.VIEW),
        "create": Needs.everywhere(AccountPermission.ADD),
        "retrieve": Needs.to_see(AccountPermission.VIEW),
        "update": Needs.on_it(AccountPermission.CHANGE),
        "partial_update": Needs.on_it(AccountPermission.CHANGE),
        "destroy": Needs.on_it(AccountPermission.DELETE),
        "regions": Needs.to_see(AccountPermission.VIEW),
    }
    lists = frozenset({"list", "regions"})
    serializer_class = AccountOut
    filterset_class = AccountFilters

    def seen(self) -> QuerySet[Any]:
        return accounts_for(self.request.user)

    def list(self, _: Request) -> Response:
        """The target accounts that one may see, newest first."""
        return self.paged(self.filter_queryset(self.seen()), AccountOut)

    @extend_schema(request=AccountIn, responses={201: AccountOut}, examples=[ACCOUNT])
    def create(self, _: Request) -> Response:
        """Register a target account. Nothing is asked of AWS; the next sync looks there."""
        account = accounts.register(**self.taken(AccountIn), actor=self.actor)
        return self.created(AccountOut(account).data, account.pk)

    def retrieve(self, _: Request, **__: str) -> Response:
        """One target account."""
        return Response(AccountOut(self.the_object()).data)

    @extend_schema(request=AccountEdit)
    def update(self, _: Request, **__: str) -> Response:
        """Change an account. The account id and whether it is the hub are fixed."""
        return self._edited(partial=False)

    @extend_schema(request=AccountEdit)
    def partial_update(self, _: Request, **__: str) -> Response:
        """Change what is given of an account, and leave the rest."""
        return self._edited(partial=True)

    def destroy(self, _: Request, **__: str) -> Response:
        """Forget an account and its inventory. Refused while a group or a launch needs it."""
        accounts.delete(self.the_object(), actor=self.actor)
        return Response(status=204)

    @extend_schema(responses=RegionOut(many=True))
    @action(detail=True, pagination_class=ByRegion, filter_backends=())
    def regions(self, _: Request, **__: str) -> Response:
        """What each Region of the account last answered."""
        return self.paged(self.the_object().regions.all(), RegionOut)

    def _edited(self, *, partial: bool) -> Response:
        account = self.the_object()
        changes = self.taken(AccountEdit, partial=partial)
        return Response(AccountOut(accounts.edit(account, **changes, actor=self.actor)).data)
