"""Recovery plans."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import HighestVersionFirst
from drportal.errors import NotFound
from recovery.api.examples import DRILL_OF_PLAN, PLAN
from recovery.api.execution_serializers import ExecutionOut
from recovery.api.filters import PlanFilters
from recovery.api.plan_answers import ChecksOut, ExistingOut, PlanRow, surroundings
from recovery.api.plan_serializers import (
    PlanCopyIn,
    PlanDraft,
    PlanEdit,
    PlanIn,
    PlanOut,
    PlanPatch,
    PlanRestoreIn,
    VersionDetail,
    VersionOut,
    facts,
    kept,
)
from recovery.api.serializers import StartIn
from recovery.api.starting import shown, start
from recovery.errors import invalid_plan
from recovery.models import RecoveryPlan
from recovery.permissions import PlanPermission
from recovery.selectors import (
    existing_instances,
    plans_for,
    unseen_groups,
    with_drills,
    with_latest,
    with_waves,
)
from recovery.services import plan_checks, plans
from recovery.services.plan_differences import differences
from recovery.services.plan_documents import document, spec_in, spec_of
from recovery.services.plan_rules import PlanSpec, unseen_complaints


class PlanViewSet(RecordedViewSet):
    """Recovery plans."""

    needs = {
        "list": Needs.to_see(PlanPermission.VIEW),
        "create": Needs.everywhere(PlanPermission.ADD),
        "retrieve": Needs.to_see(PlanPermission.VIEW),
        "update": Needs.on_it(PlanPermission.CHANGE),
        "partial_update": Needs.on_it(PlanPermission.CHANGE),
        "destroy": Needs.on_it(PlanPermission.DELETE),
        "copy": Needs.everywhere(PlanPermission.ADD),
        "restore": Needs.on_it(PlanPermission.CHANGE),
        "versions": Needs.to_see(PlanPermission.VIEW),
        "version": Needs.to_see(PlanPermission.VIEW),
        # It tells only of groups that one sees, and writes nothing.
        "validate": Needs.to_see(PlanPermission.VIEW),
        "checks": Needs.to_see(PlanPermission.VIEW),
        "existing": Needs.to_see(PlanPermission.VIEW),
        "look_for_existing": Needs.to_see(PlanPermission.VIEW),
        # Which permission depends on the kind: `start` asks.
        "execute": Needs.to_see(PlanPermission.VIEW),
    }
    lists = frozenset({"list", "versions"})
    repeatable = frozenset({"tag"})
    serializer_class = PlanOut
    filterset_class = PlanFilters

    def seen(self) -> QuerySet[Any]:
        return with_waves(plans_for(self.request.user))

    @extend_schema(responses=PlanRow(many=True))
    def list(self, _: Request) -> Response:
        """The recovery plans that one may see, newest first.

        Beside what a plan says, a row tells how its latest execution stands, whether executions
        of other plans hold its servers, and which of its groups other plans have too. Pages go on
        by cursor, and a wave may have several groups, of any accounts and Regions.
        """
        rows = self.paginate_queryset(self.filter_queryset(with_drills(with_latest(self.seen()))))
        around = surroundings(rows or [], self.request.user)
        return self.get_paginated_response(
            PlanRow(rows, many=True, context={"around": around}).data
        )

    @extend_schema(request=PlanIn, responses={201: PlanOut}, examples=[PLAN])
    def create(self, _: Request) -> Response:
        """Make a plan. One must see every group that it names.

        A wave holds any number of groups, of any accounts and Regions, and says how it depends on
        others by their positions; the reference system's bodies (`waveNumber`,
        `protectionGroupId`, `dependsOnWaves`, ...) hold one group a wave and are not taken. More
        than DRS's quotas take at once is not refused: it waits in line, and the checks say so.
        """
        said = facts(self.taken(PlanIn))
        self._must_see_groups(said["waves"])
        return self._made(plans.create(**said, actor=self.actor))

    def retrieve(self, _: Request, **__: str) -> Response:
        """One recovery plan, as it is now."""
        return Response(PlanOut(self.the_object()).data)

    @extend_schema(request=PlanEdit)
    def update(self, _: Request, **__: str) -> Response:
        """Change a plan into its next version, which says this and nothing else. With `version`,
        only if that is still the latest; else 409 with both versions.

        Executions under way are not touched: they carry out the version they began with.
        """
        plan = self.the_object()
        said = facts(self.taken(PlanEdit))
        self._must_see_groups(said["waves"])
        return self._changed(plans.edit(plan, **said, actor=self.actor))

    @extend_schema(request=PlanPatch)
    def partial_update(self, _: Request, **__: str) -> Response:
        """Change what is given, and leave the rest as it is. Waves are given whole."""
        plan = self.the_object()
        given = facts(self.taken(PlanPatch))
        self._must_see_groups(given.get("waves", ()))
        said = {"version": plan.version, **kept(spec_of(plan)), **given}
        return self._changed(plans.edit(plan, **said, actor=self.actor))

    def destroy(self, _: Request, **__: str) -> Response:
        """Delete a plan. Its executions stay. Refused while one is under way."""
        plans.delete(self.the_object(), actor=self.actor)
        return Response(status=204)

    @extend_schema(request=PlanCopyIn, responses={201: PlanOut})
    @action(detail=True, methods=["post"])
    def copy(self, _: Request, **__: str) -> Response:
        """Make a plan that says the same, under another name. It begins at version 1."""
        plan = self.the_object()
        wanted = self.taken(PlanCopyIn)
        self._must_see_groups(spec_of(plan).waves)
        return self._made(plans.copy(plan, name=wanted["name"], actor=self.actor))

    @extend_schema(request=PlanRestoreIn)
    @action(detail=True, methods=["post"])
    def restore(self, _: Request, **__: str) -> Response:
        """Let the plan say again what one of its versions said. That makes a new version, and is
        checked like any other change.
        """
        plan = self.the_object()
        wanted = self.taken(PlanRestoreIn)
        number = wanted["number"]
        self._must_see_groups(spec_in(self._version(plan, number).document).waves)
        version = wanted.get("version")
        return self._changed(plans.restore(plan, number, version=version, actor=self.actor))

    @extend_schema(responses=VersionOut(many=True))
    @action(detail=True, pagination_class=HighestVersionFirst, filter_backends=())
    def versions(self, _: Request, **__: str) -> Response:
        """What the plan said at each time, newest first."""
        return self.paged(self.the_object().versions.all(), VersionOut)

    @extend_schema(responses=VersionDetail)
    @action(detail=True, url_path="versions/<int:number>")
    def version(self, _: Request, number: int, **__: str) -> Response:
        """What the plan said at one time, with what was different before, and what is now."""
        plan = self.the_object()
        found = self._version(plan, number)
        before = plan.versions.filter(number__lt=number).order_by("-number").first()
        context = {
            "changes": differences(before.document, found.document) if before else None,
            "changes_until_now": differences(found.document, document(plan)),
        }
        return Response(VersionDetail(found, context=context).data)

    @extend_schema(request=PlanDraft, responses=ChecksOut)
    @action(detail=False, methods=["post"])
    def validate(self, _: Request) -> Response:
        """Check a plan without saving it: what keeps it from being saved (ERROR), and what a
        start would meet now (WARNING), wave by wave. Nothing is asked of AWS.
        """
        wanted = self.taken(PlanDraft)
        draft_of = wanted.pop("plan_id", None)
        plan = None if draft_of is None else self._seen_plan(draft_of)
        said = PlanSpec(**facts(wanted))
        unseen = self._unseen(said.waves)
        user = self.request.user
        return Response(
            ChecksOut(plan_checks.check(said, plan=plan, unseen=unseen, user=user)).data
        )

    @extend_schema(responses=ChecksOut)
    @action(detail=True)
    def checks(self, _: Request, **__: str) -> Response:
        """What the checks find in a plan now, wave by wave. Nothing is asked of AWS."""
        return Response(
            ChecksOut(plan_checks.of_plan(self.the_object(), user=self.request.user)).data
        )

    @extend_schema(responses=ExistingOut)
    @action(detail=True, url_path="check-existing-instances")
    def existing(self, _: Request, **__: str) -> Response:
        """The recovery instances that the plan's servers have already, as they were last listed.

        Each place says how old that listing is. Where there is none, or an old one, it is not
        known whether there are instances, and `hasExistingInstances` is not false but null.
        """
        return self._existing()

    @extend_schema(request=None, responses=ExistingOut)
    @existing.mapping.post
    def look_for_existing(self, _: Request, **__: str) -> Response:
        """The same as GET: nothing is changed, and nothing is asked of AWS."""
        return self._existing()

    @extend_schema(request=StartIn, responses={202: ExecutionOut}, examples=[DRILL_OF_PLAN])
    @action(detail=True, methods=["post"])
    def execute(self, request: Request, **__: str) -> Response:
        """Begin to carry out the plan: the same as `POST /executions`. The answer comes at once;
        follow the execution at its Location.
        """
        plan = self.the_object()
        execution = start(plan, self.taken(StartIn), user=request.user, actor=self.actor)
        where = reverse("execution-detail", kwargs={"pk": execution.pk}, request=request)
        return Response(shown(execution), status=202, headers={"Location": where})

    def _existing(self) -> Response:
        plan = self.the_object()
        servers = plan_checks.of_plan(plan, user=self.request.user).servers
        found = existing_instances(servers)
        count = None if found.any is None else len(found.instances)
        told = {
            "planId": plan.pk,
            "hasExistingInstances": found.any,
            "instanceCount": count,
            "existingInstances": found.instances,
            "places": found.places,
        }
        return Response(ExistingOut(told, context={"now": timezone.now()}).data)

    def _made(self, plan: RecoveryPlan) -> Response:
        return self.created(self._shown(plan), plan.pk)

    def _changed(self, plan: RecoveryPlan) -> Response:
        return Response(self._shown(plan))

    def _shown(self, plan: RecoveryPlan) -> Any:
        return PlanOut(with_waves(RecoveryPlan.objects.filter(pk=plan.pk)).get()).data

    def _version(self, plan: RecoveryPlan, number: int) -> Any:
        found = plan.versions.filter(number=number).first()
        if found is None:
            raise NotFound(f"The plan has no version {number}.")
        return found

    def _seen_plan(self, pk: Any) -> RecoveryPlan:
        found = plans_for(self.request.user).filter(pk=pk).first()
        if found is None:
            raise NotFound("There is no such plan, or none that you may see.")
        return found

    def _unseen(self, waves: Any) -> set[Any]:
        named = {group_id for wave in waves for group_id in wave.group_ids}
        return unseen_groups(self.request.user, named)

    def _must_see_groups(self, waves: Any) -> None:
        """What one may not see is as unknown as what is not there."""
        errors = unseen_complaints(waves, self._unseen(waves))
        if errors:
            raise invalid_plan(errors)
