"""Validations of target accounts: asking for one, and what they found."""

from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import LatestStartFirst
from protection.api.account_lookup import account_seen
from protection.api.account_serializers import ValidationOut
from protection.models import AccountValidation, TargetAccount
from protection.permissions import AccountPermission
from protection.selectors import accounts_for
from protection.services import validation


class ValidationViewSet(RecordedViewSet):
    """The validations of one target account."""

    needs = {
        "list": Needs.to_see(AccountPermission.VIEW),
        "retrieve": Needs.to_see(AccountPermission.VIEW),
        "create": Needs.on_it(AccountPermission.CHANGE),
    }
    serializer_class = ValidationOut
    pagination_class = LatestStartFirst
    filter_backends = ()

    def seen(self) -> QuerySet[Any]:
        return AccountValidation.objects.filter(target=self._account())

    def asked_of(self, found: Any) -> Model | None:
        return found if isinstance(found, TargetAccount) else found.target

    def list(self, _: Request, **__: str) -> Response:
        """The validations of an account, latest first."""
        return self.paged(self.seen(), ValidationOut)

    @extend_schema(request=None, responses={202: ValidationOut})
    def create(self, _: Request, **__: str) -> Response:
        """Have an account validated: a worker enters it and looks whether a recovery would work.

        The answer comes at once, with the validation's address in `Location`; the reference system
        let the caller wait. One at a time: else 409, whose context names the running one.
        """
        account = self.the_object(of=accounts_for(self.request.user).filter(pk=self._account().pk))
        asked = validation.ask(account, actor=self.actor)
        where = {"account": account.pk, "pk": asked.pk}
        location = self.reverse_action("detail", kwargs=where)
        return Response(ValidationOut(asked).data, status=202, headers={"Location": location})

    def retrieve(self, _: Request, **__: str) -> Response:
        """One validation: its checks, and what to do about those that did not pass."""
        return Response(ValidationOut(self.the_object()).data)

    def key(self) -> dict[str, Any]:
        return {"pk": self.kwargs["pk"]} if "pk" in self.kwargs else {}

    def _account(self) -> TargetAccount:
        return account_seen(self.request.user, self.kwargs["account"])
