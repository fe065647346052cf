"""Target accounts and their Regions, and the account that the portal runs in."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.access import allowed
from drportal.api.access import Needs
from drportal.api.pagination import ByRegion
from drportal.api.schema import refusal
from drportal.aws.sts import hub_account
from drportal.errors import NotFound
from protection.api.account_lookup import named
from protection.api.account_serializers import (
    AccountEdit,
    AccountIn,
    AccountOut,
    CurrentAccount,
    RegionOut,
)
from protection.api.examples import ACCOUNT
from protection.api.filters import AccountFilters
from protection.models import TargetAccount
from protection.permissions import AccountPermission
from protection.selectors import accounts_for
from protection.services import accounts, role_templates


class AccountViewSet(RecordedViewSet):
    """Target accounts, each by its id or by its 12 digits."""

    needs = {
        "list": Needs.to_see(AccountPermission.VIEW),
        "create": Needs.everywhere(AccountPermission.ADD),
        "retrieve": Needs.to_see(AccountPermission.VIEW),
        "update": Needs.on_it(AccountPermission.CHANGE),
        "partial_update": Needs.on_it(AccountPermission.CHANGE),
        "destroy": Needs.on_it(AccountPermission.DELETE),
        "regions": Needs.to_see(AccountPermission.VIEW),
        "role_template": Needs.on_it(AccountPermission.CHANGE),
    }
    lists = frozenset({"list", "regions"})
    lookup_value_converter = "account"
    serializer_class = AccountOut
    filterset_class = AccountFilters

    def seen(self) -> QuerySet[Any]:
        return accounts_for(self.request.user)

    def key(self) -> dict[str, Any]:
        return named(self.kwargs["pk"])

    def list(self, _: Request) -> Response:
        """The target accounts that one may see, newest first."""
        return self.paged(self.filter_queryset(self.seen()), AccountOut)

    @extend_schema(request=AccountIn, responses={201: AccountOut}, examples=[ACCOUNT])
    def create(self, _: Request) -> Response:
        """Register a target account. Nothing is asked of AWS; validate it to have that done.

        The reference system's codes are in `error` and in those of the fields.
        """
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
        """Forget an account and its inventory. Refused while a group or an execution needs it:
        `needed_by` in the context names them.
        """
        accounts.delete(self.the_object(), actor=self.actor)
        return Response(status=204)

    @extend_schema(responses=RegionOut(many=True))
    @action(detail=True, pagination_class=ByRegion, filter_backends=())
    def regions(self, _: Request, **__: str) -> Response:
        """What each Region of the account last answered."""
        return self.paged(self.the_object().regions.all(), RegionOut)

    @extend_schema(
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, "A CloudFormation template, as a download."),
            **refusal(409, "The hub, an account without an external id, or no hub is known."),
        }
    )
    @action(detail=True, url_path="role-template", pagination_class=None, filter_backends=())
    def role_template(self, _: Request, **__: str) -> Any:
        """The CloudFormation template of the account's role, with least privilege.

        It holds the external id, so it wants the permission to change the account.
        """
        account = self.the_object()
        text = role_templates.role_template(account, actor=self.actor)
        response = HttpResponse(text, content_type="application/json")
        name = role_templates.file_name(account)
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        response.headers["Cache-Control"] = "no-store"
        return response

    def _edited(self, *, partial: bool) -> Response:
        account = self.the_object()
        changes = self.taken(AccountEdit, partial=partial)
        return Response(AccountOut(accounts.edit(account, **changes, actor=self.actor)).data)


class CurrentAccountViewSet(RecordedViewSet):
    """The account that the portal runs in."""

    needs = {"retrieve": Needs.to_see(AccountPermission.VIEW)}
    serializer_class = CurrentAccount
    pagination_class = None
    filter_backends = ()

    def seen(self) -> QuerySet[Any]:
        return accounts_for(self.request.user).filter(is_hub=True)

    @extend_schema(responses={200: CurrentAccount, **refusal(503, "AWS does not say which.")})
    def retrieve(self, _: Request) -> Response:
        """The registered hub; where there is none, the account that AWS says the portal is in.

        The former is for whoever may see the hub, the latter for whoever may see all accounts.
        """
        hub = self.seen().first()
        if hub is not None:
            return Response(CurrentAccount(hub).data)
        registered = TargetAccount.objects.filter(is_hub=True).exists()
        if registered or not allowed(self.request.user, AccountPermission.VIEW):
            raise NotFound("There is no such account, or none that you may see.")
        answer = {"account_id": hub_account(), "id": None, "name": None}
        return Response(CurrentAccount(answer).data)
