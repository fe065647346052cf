"""Staging accounts of target accounts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from audit.api.views import RecordedViewSet
from drportal.access import allowed, allowed_anywhere
from drportal.api.access import Needs, Of
from drportal.api.pagination import ByName, LatestStartFirst, Pages
from drportal.errors import Forbidden, InvalidInput, NotFound
from protection.api.account_lookup import account_seen
from protection.api.account_serializers import ValidationOut
from protection.api.serializers import SyncAsked
from protection.api.staging_serializers import (
    DiscoveryOut,
    EntryIn,
    EntryOut,
    StagingAdd,
    StagingAdded,
    StagingEdit,
    StagingOut,
    StagingServerOut,
)
from protection.choices import SyncKind
from protection.models import (
    AccountValidation,
    StagingAccount,
    StagingLink,
    StagingServer,
    TargetAccount,
)
from protection.permissions import AccountPermission
from protection.selectors import accounts_for, may_change_staging, staging_accounts_for
from protection.services import staging, staging_discovery, validation

_NAMES = {
    "account_id": "accountId",
    "name": "accountName",
    "role_arn": "roleArn",
    "external_id": "externalId",
}


class ByPlace(Pages):
    """In the order of Regions, and in each of names."""

    keys = ("region", "hostname", "id")


class StagingAccountViewSet(RecordedViewSet):
    """Staging accounts of one target, which the path names by its id or by its 12 digits. They are
    seen and changed with the target.
    """

    needs = {
        "list": Needs.to_see(AccountPermission.VIEW),
        "create": Needs.on_it(AccountPermission.CHANGE),
        "retrieve": Needs.to_see(AccountPermission.VIEW),
        "update": Needs.on_it(AccountPermission.CHANGE),
        "destroy": Needs.on_it(AccountPermission.CHANGE),
        "servers": Needs.to_see(AccountPermission.VIEW),
        "validate": Needs.on_it(AccountPermission.CHANGE),
        "validations": Needs.to_see(AccountPermission.VIEW),
        "sync": Needs.on_it(AccountPermission.CHANGE),
        "discover": Needs.to_see(AccountPermission.VIEW),
    }
    lists = frozenset({"list", "servers", "validations"})
    serializer_class = StagingOut
    pagination_class = ByName
    filter_backends = ()
    lookup_url_kwarg = "sid"
    lookup_value_converter = "str"

    def seen(self) -> QuerySet[Any]:
        return staging_accounts_for(self.request.user)

    def list(self, _: Request, **__: str) -> Response:
        """The staging accounts of a target that one may see."""
        target = self._target()
        linked = StagingAccount.objects.filter(targets=target)
        return self.paged(linked, StagingOut, links=_links(target))

    @extend_schema(request=StagingAdd, responses={201: StagingAdded})
    def create(self, _: Request, **__: str) -> Response:
        """Add a staging account. Nothing is asked of AWS; the next staging sync looks there.

        It is never the target itself. One that serves another target already is linked as it is
        known; what is given otherwise is refused. Beside the reference's answer, 201 and
        `Location` say where it is.
        """
        target = self._target()
        given = self.taken(StagingAdd)["stagingAccount"]
        with _named_as_given("stagingAccount."):
            made = staging.add(target, **given, actor=self.actor)
        linked = StagingAccount.objects.filter(targets=target).order_by("name", "pk")
        shown = StagingOut(linked, many=True, context={"links": _links(target)}).data
        said = {
            "success": True,
            "message": f"{made} was added to {target}.",
            "stagingAccounts": shown,
        }
        where = self.reverse_action(
            "detail", kwargs={"account": self.kwargs["account"], "sid": made.account_id}
        )
        return Response(said, status=201, headers={"Location": where})

    def retrieve(self, _: Request, **__: str) -> Response:
        """One staging account of a target, by its 12 digits."""
        target = self._target()
        return self._shown(target, self._linked(target))

    @extend_schema(request=StagingEdit)
    def update(self, _: Request, **__: str) -> Response:
        """Change a staging account, for every target that it serves: one must be allowed to change
        them all.
        """
        target = self._target()
        linked = self._linked(target)
        if not may_change_staging(self.request.user, linked):
            raise Forbidden(
                "It serves targets that you may not change too.",
                permission=AccountPermission.CHANGE,
            )
        with _named_as_given():
            edited = staging.edit(linked, **self.taken(StagingEdit), actor=self.actor)
        return self._shown(target, edited)

    def destroy(self, _: Request, **__: str) -> Response:
        """Remove a staging account from a target. What was extended stays as it is in AWS."""
        target = self._target()
        staging.remove(target, self._linked(target), actor=self.actor)
        return Response(status=204)

    @extend_schema(responses=StagingServerOut(many=True))
    @action(detail=True, pagination_class=ByPlace)
    def servers(self, _: Request, **__: str) -> Response:
        """The staging account's servers: how they stand towards the target, and why."""
        target = self._target()
        link = {"link__target": target, "link__staging": self._linked(target)}
        return self.paged(StagingServer.objects.filter(**link), StagingServerOut)

    @extend_schema(request=None, responses={202: ValidationOut})
    @action(detail=True, methods=["post"])
    def validate(self, _: Request, **__: str) -> Response:
        """Have a staging account validated: a worker enters it and looks whether it is as the
        staging sync needs it. One at a time: else 409.
        """
        asked = validation.ask(self._linked(self._target()), actor=self.actor)
        names = {name: self.kwargs[name] for name in ("account", "sid")}
        where = self.reverse_action("validations", kwargs=names)
        return Response(ValidationOut(asked).data, status=202, headers={"Location": where})

    @extend_schema(responses=ValidationOut(many=True))
    @action(detail=True, pagination_class=LatestStartFirst)
    def validations(self, _: Request, **__: str) -> Response:
        """The validations of a staging account, latest first."""
        linked = self._linked(self._target())
        return self.paged(AccountValidation.objects.filter(staging=linked), ValidationOut)

    @extend_schema(request=None, responses={202: SyncAsked})
    @action(detail=False, methods=["post"])
    def sync(self, request: Request, **__: str) -> Response:
        """Ask for the staging sync now. Servers of this target that wait for their next try are
        tried too. Refused while such a sync runs.
        """
        staging.ask_for_sync(self._target(), actor=self.actor)
        said = SyncAsked({"kind": SyncKind.STAGING, "requested_by": self.actor.name}).data
        where = reverse("sync-run-list", request=request) + f"?kind={SyncKind.STAGING}"
        return Response(said, status=202, headers={"Location": where})

    @extend_schema(responses=DiscoveryOut)
    @action(detail=False)
    def discover(self, request: Request, **__: str) -> Response:
        """The staging accounts that the target has servers of, or could have, but not itself yet.

        AWS is asked now, for 5 seconds at most. `missing` names what has not answered.
        """
        target = self._target()
        candidates = [
            *staging_accounts_for(request.user).order_by().values_list("account_id", flat=True),
            *accounts_for(request.user).order_by().values_list("account_id", flat=True),
        ]
        told = staging_discovery.discover(target, candidates=candidates)
        return Response(DiscoveryOut(told).data)

    def _target(self) -> TargetAccount:
        """The target that the path names, if one may do to it what the action does."""
        user = self.request.user
        target = account_seen(user, self.kwargs["account"])
        self.found = target
        needs = self._needed()
        if needs.of == Of.THE_OBJECT and not allowed(user, needs.permission, target):
            raise Forbidden("You may see this, but not do this to it.", permission=needs.permission)
        return target

    def _linked(self, target: TargetAccount) -> StagingAccount:
        linked = StagingAccount.objects.filter(targets=target, account_id=self.kwargs["sid"])
        found = linked.first()
        if found is None:
            raise NotFound("The target has no such staging account.")
        return found

    def _shown(self, target: TargetAccount, linked: StagingAccount) -> Response:
        return Response(StagingOut(linked, context={"links": _links(target)}).data)


class StagingEntryViewSet(RecordedViewSet):
    """Accounts that could become staging accounts."""

    needs = {"validate": Needs.to_see(AccountPermission.CHANGE)}
    reads = frozenset({"validate"})
    lists = frozenset()
    # A key's transaction would be open while AWS answers; and the next answer may be another.
    replayable = False
    serializer_class = EntryOut

    def seen(self) -> QuerySet[Any]:
        return staging_accounts_for(self.request.user)

    @extend_schema(request=EntryIn, responses={200: EntryOut})
    @action(detail=False, methods=["post"], filter_backends=())
    def validate(self, request: Request) -> Response:
        """Enter an account by a role, and see whether DRS is initialized there in a Region.

        Nothing is kept. AWS is asked now, for 5 seconds at most. One must be allowed to change
        some target account.
        """
        accounts = TargetAccount.objects.all()
        if not allowed_anywhere(request.user, AccountPermission.CHANGE, among=accounts):
            raise Forbidden("You may not do this.", permission=AccountPermission.CHANGE)
        wanted = {"external_id": "", **self.taken(EntryIn)}
        with _named_as_given():
            told = staging_discovery.enter(**wanted)
        return Response(EntryOut(told).data)


def _links(target: TargetAccount) -> dict[Any, StagingLink]:
    return {link.staging_id: link for link in StagingLink.objects.filter(target=target)}


@contextmanager
def _named_as_given(within: str = "") -> Iterator[None]:
    """Name the fields that a service complains of as the request named them."""
    try:
        yield
    except InvalidInput as error:
        errors = [
            {**found, "field": within + _NAMES.get(found["field"], found["field"])}
            for found in error.errors
        ]
        raise InvalidInput(error.detail, errors=errors) from error
