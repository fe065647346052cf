"""Recovery plans: making and editing them, and starting drills and recoveries."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.html import format_html
from typing_extensions import override

from audit.services import record
from drportal.access import Anybody
from drportal.actor import Actor
from drportal.adminkit import confirm, sharing
from drportal.adminkit.base import PortalAdmin
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age
from protection.admin.recorded import RecordedAdmin
from protection.models import ProtectionGroup
from protection.selectors import groups_for
from recovery.admin import tones
from recovery.admin.drawing import Box, drawing
from recovery.admin.outlook import outlook
from recovery.admin.plan_forms import PlanForm, under
from recovery.models import Execution, RecoveryPlan
from recovery.selectors import plans_for, with_counts
from recovery.services import executions, plans
from recovery.states import Kind

_LATEST = 10
_ACTION = {Kind.DRILL: "drill", Kind.RECOVERY: "recover"}


@admin.register(RecoveryPlan, site=site)
class RecoveryPlanAdmin(RecordedAdmin):
    """Which groups come back in which order."""

    icon, section, place = "account_tree", "Recovery", 21
    can = frozenset({"add", "change", "delete", "share", "history"})
    page_template = "recovery/plan.html"
    form_template = "recovery/plan_form.html"
    shared_permissions = (
        ("view_recoveryplan", "See"),
        ("drill_recoveryplan", "Start drills"),
        ("recover_recoveryplan", "Start recoveries"),
        ("steer_recoveryplan", "Open gates and cancel"),
        ("change_recoveryplan", "Edit"),
        ("delete_recoveryplan", "Delete"),
        ("share_recoveryplan", "Share"),
    )
    list_display = ("name", "version", "wave_count", "latest", "updated_at")
    search_fields = ("name", "description")
    ordering = ("name", "id")

    def visible_to(self, user: Anybody) -> QuerySet[RecoveryPlan]:
        return plans_for(user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RecoveryPlan]:
        return self.visible_to(request.user).annotate(wave_total=Count("waves"))

    @override
    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        newest = Execution.objects.filter(plan__in=[row.pk for row in rows])
        newest = newest.order_by("plan_id", "-created_at", "id").distinct("plan_id")
        found = {execution.plan_id: execution for execution in newest}
        for row in rows:
            row.newest = found.get(row.pk)

    def more_urls(self) -> list[URLPattern]:
        return [self.url("<str:object_id>/start/<str:kind>/", self.start_view, "start")]

    @admin.display(description="Waves")
    def wave_count(self, plan: Any) -> int:
        return int(plan.wave_total)

    @admin.display(description="Latest execution")
    def latest(self, plan: Any) -> str:
        if plan.newest is None:
            return "never started"
        return format_html(
            '{} {} <a class="dr-link" href="{}">{}</a>',
            tones.kind_badge(plan.newest.kind),
            tones.execution_badge(plan.newest.state),
            self._executions().link("change", plan.newest),
            age(plan.newest.created_at),
        )

    def _executions(self) -> PortalAdmin:
        page: PortalAdmin = self.admin_site.get_model_admin(Execution)
        return page

    # The page of one plan.

    @override
    def page_context(self, request: HttpRequest, obj: RecoveryPlan) -> dict[str, Any]:
        latest = with_counts(Execution.objects.filter(plan=obj)).order_by("-created_at", "id")
        lines = [
            {
                "link": self._executions().link("change", execution),
                "kind": tones.kind_badge(execution.kind),
                "badge": tones.execution_badge(execution.state),
                "execution": execution,
            }
            for execution in latest[:_LATEST]
        ]
        return {
            "graph": _graph(obj),
            "outlook": outlook(obj),
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
        return buttons

    def start_view(self, request: HttpRequest, object_id: str, kind: str) -> HttpResponse:
        """Ask, then start a drill or a recovery of the plan and go to its page."""
        plan = self.found(request, object_id)
        if kind.upper() not in Kind.values or kind != kind.lower():
            raise Http404("There is no such kind of execution.")
        chosen = Kind(kind.upper())
        if not self.may(request, _ACTION[chosen], plan):
            raise PermissionDenied

        def act(said: dict[str, Any]) -> HttpResponse:
            execution = executions.start(
                plan,
                kind=chosen,
                reason=said["reason"],
                confirmation=said.get("typed", ""),
                actor=self.actor(request),
            )
            self.message_user(request, f"The {execution} was started.", messages.SUCCESS)
            return HttpResponseRedirect(self._executions().link("change", execution))

        return confirm.confirm(self, request, plan, _question(plan, chosen), act)

    # Forms.

    def form_for(self, request: HttpRequest, obj: RecoveryPlan | None) -> Any:
        data = request.POST if request.method == "POST" else None
        return PlanForm(obj, data, groups=_groups(request, obj))

    @override
    def form_context(self, request: HttpRequest, form: Any, obj: Any) -> dict[str, Any]:
        return {"graph": form.graph()}

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
            under(wave.group_total, gate=wave.gate),
            Tone.PLAIN,
            tuple(wave.depends_on),
        )
        for wave in waves
    ]
    return drawing(boxes)


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


def _question(plan: RecoveryPlan, kind: Kind) -> confirm.Question:
    real = kind == Kind.RECOVERY
    text = (
        "This is a REAL RECOVERY: it launches the servers below for production."
        if real
        else "A drill launches the servers below beside those that run. It costs what they cost."
    )
    return confirm.Question(
        title=f"Start a {kind.label.lower()} of {plan}",
        text=text,
        verb=f"Start the {kind.label.lower()}",
        danger=real,
        typed=plan.name if real else "",
        typed_label="Type the plan's name to confirm",
        reason="Reason",
        template="recovery/start.html",
        context={"outlook": outlook(plan), "kind": tones.kind_badge(kind)},
    )
