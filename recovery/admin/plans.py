"""Recovery plans: making and editing them, and starting drills and recoveries."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.html import format_html
from typing_extensions import override

from audit.services import record
from drportal.access import Anybody
from drportal.actor import Actor
from drportal.adminkit import confirm, sharing
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge
from drportal.errors import DomainError
from protection.models import ProtectionGroup
from protection.selectors import groups_for
from recovery.admin import plan_versions, tones
from recovery.admin.drawing import Box, drawing
from recovery.admin.drilling import DrilledPages
from recovery.admin.outlook import lines, outlook
from recovery.admin.plan_filters import (
    ConflictFilter,
    LatestStateFilter,
    OverdueFilter,
    PlanAccountFilter,
    TagFilter,
)
from recovery.admin.plan_forms import CopyForm, PlanForm, under
from recovery.admin.starting import StartPages
from recovery.errors import invalid_plan
from recovery.models import Execution, PlanVersion, RecoveryPlan
from recovery.selectors import (
    holds_by_plan,
    plans_for,
    unseen_groups,
    with_counts,
    with_drills,
    with_latest,
)
from recovery.services import plan_checks, plans
from recovery.services.plan_documents import spec_in, spec_of
from recovery.services.plan_rules import PlanSpec, unseen_complaints

_LATEST = 10


@admin.register(RecoveryPlan, site=site)
class RecoveryPlanAdmin(StartPages, DrilledPages):
    """Which groups come back in which order."""

    icon, section, place = "account_tree", "Recovery", 21
    can = frozenset({"add", "change", "delete", "share", "history"})
    page_template = "recovery/plan.html"
    form_template = "recovery/plan_form.html"
    shared_permissions = (
        ("view_recoveryplan", "See"),
        ("drill_recoveryplan", "Start drills"),
        ("recover_recoveryplan", "Start recoveries"),
        ("steer_recoveryplan", "Steer what runs"),
        ("terminate_recoveryplan", "Clean up after drills"),
        ("terminate_recovery_recoveryplan", "Clean up after recoveries"),
        ("failback_recoveryplan", "Fail back after a recovery"),
        ("override_preflight_recoveryplan", "Start despite a preflight"),
        ("approve_recoveryplan", "Approve what others start"),
        ("change_recoveryplan", "Edit"),
        ("delete_recoveryplan", "Delete"),
        ("share_recoveryplan", "Share"),
    )
    list_display = (
        "name",
        "version",
        "owner",
        "wave_count",
        "readiness",
        "conflict",
        "latest",
        "drilled",
        "updated_at",
    )
    list_filter = (PlanAccountFilter, TagFilter, ConflictFilter, LatestStateFilter, OverdueFilter)
    search_fields = ("name", "description", "owner")
    ordering = ("name", "id")

    def visible_to(self, user: Anybody) -> QuerySet[RecoveryPlan]:
        return plans_for(user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        plans_seen = with_drills(with_latest(self.visible_to(request.user)))
        counted: QuerySet[Any] = plans_seen.annotate(wave_total=Count("waves"))
        return counted

    @override
    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        super().prepare(request, rows)
        newest = Execution.objects.filter(plan__in=[row.pk for row in rows])
        newest = newest.order_by("plan_id", "-created_at", "id").distinct("plan_id")
        found = {execution.plan_id: execution for execution in newest}
        holds = holds_by_plan([row.pk for row in rows])
        for row in rows:
            row.newest = found.get(row.pk)
            row.holds = holds.get(row.pk, [])

    def more_urls(self) -> list[URLPattern]:
        version = "<str:object_id>/versions/<int:number>/"
        return [
            *super().more_urls(),
            self.url("<str:object_id>/copy/", self.copy_view, "copy"),
            self.url(version, self.version_view, "version"),
            self.url(f"{version}restore/<int:current>/", self.restore_view, "restore_version"),
        ]

    @admin.display(description="Waves")
    def wave_count(self, plan: Any) -> int:
        return int(plan.wave_total)

    @admin.display(description="Held by others")
    def conflict(self, plan: Any) -> str:
        if not plan.holds:
            return "no"
        held = len({hold.server_id for hold in plan.holds})
        return badge(f"{held} server" + ("" if held == 1 else "s"), Tone.WAIT)

    @admin.display(description="Latest execution")
    def latest(self, plan: Any) -> str:
        if plan.newest is None:
            return "never started"
        return format_html(
            '{} {} <a class="dr-link" href="{}">{}</a>',
            tones.kind_badge(plan.newest.kind),
            tones.execution_badge(plan.newest.state),
            self.executions_page().link("change", plan.newest),
            age(plan.newest.created_at),
        )

    # The page of one plan.

    @override
    def page_context(self, request: HttpRequest, obj: RecoveryPlan) -> dict[str, Any]:
        latest = with_counts(Execution.objects.filter(plan=obj)).order_by("-created_at", "id")
        lines = [
            {
                "link": self.executions_page().link("change", execution),
                "kind": tones.kind_badge(execution.kind),
                "badge": tones.execution_badge(execution.state),
                "execution": execution,
            }
            for execution in latest[:_LATEST]
        ]
        return {
            **super().page_context(request, obj),
            "graph": _graph(obj),
            "outlook": outlook(obj, request.user),
            "versions": obj.versions.order_by("-number")[:_LATEST],
            "executions": lines,
        }

    def page_buttons(self, request: HttpRequest, obj: RecoveryPlan) -> list[dict[str, Any]]:
        buttons = []
        if self.may(request, "drill", obj):
            link = f"{self.link('change', obj).removesuffix('change/')}start/drill/"
            buttons.append({"label": "Start a drill", "link": link, "tone": "dr-main"})
        if self.may(request, "recover", obj):
            link = f"{self.link('change', obj).removesuffix('change/')}start/recovery/"
            buttons.append({"label": "Start a recovery", "link": link, "tone": "dr-danger"})
        if self.has_add_permission(request):
            buttons.append({"label": "Copy", "link": self.link("copy", obj), "name": "copy"})
        return [*buttons, *super().page_buttons(request, obj)]

    # Versions, and copies.

    def version_view(self, request: HttpRequest, object_id: str, number: int) -> HttpResponse:
        """What a plan said at one time, what was different before, and what is now."""
        plan = self.found(request, object_id)
        version = _version(plan, number)
        context = plan_versions.version_context(plan, version)
        may_restore = self.has_change_permission(request, plan) and not context["is_latest"]
        title = f"Version {number} of {plan}"
        return self.render(
            request,
            "recovery/plan_version.html",
            obj=plan,
            title=title,
            may_restore=may_restore,
            **context,
        )

    def restore_view(
        self, request: HttpRequest, object_id: str, number: int, current: int
    ) -> HttpResponse:
        """Ask, then let the plan, which was at version `current` when that was asked for, say
        again what version `number` said.
        """
        plan = self.found(request, object_id, "change")
        version = _version(plan, number)

        def act(_: dict[str, Any]) -> HttpResponse:
            _must_see_groups(request, spec_in(version.document), kept_by=plan)
            plans.restore(plan, number, version=current, actor=self.actor(request))
            self.message_user(request, f"Version {number} was restored.", messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", plan))

        return confirm.confirm(self, request, plan, plan_versions.question(plan, version), act)

    def copy_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form of a copy: its name."""
        plan = self.found(request, object_id, "add_like")
        form = CopyForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                _must_see_groups(request, spec_of(plan))
                name = form.cleaned_data["name"]
                copied = plans.copy(plan, name=name, actor=self.actor(request))
            except DomainError as error:
                self.refused(request, code=error.code, detail=error.detail, obj=plan)
                form.refuse(error)
            else:
                self.message_user(request, f"{copied} was made.", messages.SUCCESS)
                return HttpResponseRedirect(self.link("change", copied))
        title, back = f"Copy {plan}", self.link("change", plan)
        return self.render(
            request, "admin/portal/form.html", obj=plan, title=title, form=form, back=back
        )

    def has_add_like_permission(self, request: HttpRequest, _: RecoveryPlan) -> bool:
        """May the person make another plan like this one?"""
        return self.has_add_permission(request)

    # Forms.

    def form_for(self, request: HttpRequest, obj: RecoveryPlan | None) -> Any:
        data = request.POST if request.method == "POST" else None
        return PlanForm(obj, data, groups=_groups(request, obj))

    @override
    def form_context(self, request: HttpRequest, form: Any, obj: Any) -> dict[str, Any]:
        form.offer_servers()
        found = []
        if form.checked:
            checked = plan_checks.check(form.spec(), plan=obj, user=request.user)
            found = lines(checked.of_whole)
            # Of more waves than a plan may have, none is looked at.
            for wave, look in zip(form.waves, checked.waves, strict=False):
                wave.look, wave.findings = look, lines(look.findings)
        return {"graph": form.graph(), "findings": found, "checked": form.checked}

    def save(self, request: HttpRequest, form: Any, obj: RecoveryPlan | None) -> RecoveryPlan:
        actor = self.actor(request)
        if obj is None:
            return plans.create(**form.said(), actor=actor)
        version = form.head.cleaned_data["version"]
        return plans.edit(obj, **form.said(), version=version, actor=actor)

    def remove(self, obj: RecoveryPlan, *, actor: Actor) -> None:
        plans.delete(obj, actor=actor)

    def shared(self, obj: RecoveryPlan, *, change: sharing.Change, actor: Actor) -> None:
        record(
            "recovery.plan.shared",
            actor=actor,
            subject=obj,
            holder=str(change.holder),
            given=sorted(change.given),
            taken=sorted(change.taken),
        )


def _graph(plan: RecoveryPlan) -> str:
    waves = plan.waves.order_by("position").annotate(group_total=Count("groups"))
    boxes = [
        Box(
            wave.position,
            wave.name,
            under(wave.group_total, gate=wave.gate, timer=bool(wave.wait)),
            Tone.PLAIN,
            tuple(wave.depends_on),
        )
        for wave in waves
    ]
    return drawing(boxes)


def _version(plan: RecoveryPlan, number: int) -> PlanVersion:
    found = plan.versions.filter(number=number).first()
    if found is None:
        raise Http404("The plan has no such version.")
    return found


def _must_see_groups(
    request: HttpRequest, said: PlanSpec, *, kept_by: RecoveryPlan | None = None
) -> None:
    """Groups that one does not see stay in a plan, but no others come in."""
    named = {group_id for wave in said.waves for group_id in wave.group_ids}
    unseen = unseen_groups(request.user, named)
    if kept_by is not None:
        unseen -= {group_id for wave in spec_of(kept_by).waves for group_id in wave.group_ids}
    complaints = unseen_complaints(said.waves, unseen)
    if complaints:
        raise invalid_plan(complaints)


def _groups(request: HttpRequest, plan: RecoveryPlan | None) -> list[tuple[str, str]]:
    """The groups that may be chosen: those the person sees, and those in the plan already."""
    choosable = Q(pk__in=groups_for(request.user).order_by().values("pk"))
    if plan is not None:
        choosable |= Q(pk__in=plan.waves.values("groups"))
    groups = ProtectionGroup.objects.filter(choosable).select_related("account")
    return [
        (str(group.pk), f"{group.name} ({group.account.name}, {group.region})")
        for group in groups.order_by("name", "id")
    ]
