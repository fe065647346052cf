"""Starting drills and recoveries from the pages of plans, the whole plan or a part of it."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from typing_extensions import override

from drportal.access import Anybody
from drportal.adminkit import confirm
from drportal.adminkit.base import PortalAdmin
from drportal.errors import DomainError
from recovery.admin import tones
from recovery.admin.dry_runs import page
from recovery.admin.outlook import outlook
from recovery.admin.preflights import PreflightPages
from recovery.admin.start_options import OptionsForm, has_options, part, with_query
from recovery.engine.options import WHOLE, StartOptions
from recovery.models import Execution, RecoveryPlan
from recovery.services import executions, starting
from recovery.services.dry_runs import dry_run
from recovery.states import Kind

_ACTION: Final = {Kind.DRILL: "drill", Kind.RECOVERY: "recover"}


class StartPages(PreflightPages):
    """What the pages of plans have of starting them."""

    @override
    def more_urls(self) -> list[URLPattern]:
        start = "<str:object_id>/start/<str:kind>/"
        return [
            *super().more_urls(),
            self.url(start, self.start_view, "start"),
            self.url(f"{start}options/", self.options_view, "start_options"),
            self.url(f"{start}override/", self.override_view, "start_override"),
            self.url("<str:object_id>/dry-run/", self.dry_run_view, "dry_run"),
        ]

    def executions_page(self) -> PortalAdmin:
        """The pages of executions."""
        found: PortalAdmin = self.admin_site.get_model_admin(Execution)
        return found

    @override
    def page_buttons(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        buttons = list(super().page_buttons(request, obj))
        return [*buttons, {"label": "Dry run", "link": self.link("dry_run", obj)}]

    def start_view(self, request: HttpRequest, object_id: str, kind: str) -> HttpResponse:
        """Ask, then start a drill or a recovery of the plan and go to its page."""
        return self._start(request, object_id, kind, overriding=False)

    def override_view(self, request: HttpRequest, object_id: str, kind: str) -> HttpResponse:
        """The same for whoever may start the plan although its preflight says no."""
        self.found(request, object_id, "override_preflight")
        return self._start(request, object_id, kind, overriding=True)

    def options_view(self, request: HttpRequest, object_id: str, kind: str) -> HttpResponse:
        """The form of what part is to be started. Nothing is done by it."""
        plan, chosen = self._startable(request, object_id, kind)
        asked = "chosen" in request.GET
        form = OptionsForm(plan, request.GET if asked or has_options(request.GET) else None)
        if asked and form.is_valid():
            options = form.options()
            try:
                starting.resolve(plan, options)
            except DomainError as error:
                form.refuse(error)
            else:
                return HttpResponseRedirect(self._link("start", plan, chosen, options))
        return self.render(
            request,
            "recovery/start_options.html",
            obj=plan,
            title=f"Start options: {chosen.label.lower()} of {plan}",
            form=form,
            kind=tones.kind_badge(chosen),
            back=self._link("start", plan, chosen, WHOLE),
        )

    def dry_run_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What a start would do, and when. Nothing is changed, and nothing asked of AWS."""
        plan = self.found(request, object_id)
        options = self.chosen_options(request, plan)
        context: dict[str, Any] = {"refused": "", "page": None}
        try:
            context["page"] = page(dry_run(plan, options))
        except DomainError as error:
            context["refused"] = error.detail
        return self.render(
            request,
            "recovery/dry_run.html",
            obj=plan,
            title=f"Dry run of {plan}",
            options_said=options.said(),
            **context,
        )

    def _startable(
        self, request: HttpRequest, object_id: str, kind: str
    ) -> tuple[RecoveryPlan, Kind]:
        plan = self.found(request, object_id)
        if kind.upper() not in Kind.values or kind != kind.lower():
            raise Http404("There is no such kind of execution.")
        chosen = Kind(kind.upper())
        if not self.may(request, _ACTION[chosen], plan):
            raise PermissionDenied
        return plan, chosen

    def _start(
        self, request: HttpRequest, object_id: str, kind: str, *, overriding: bool
    ) -> HttpResponse:
        plan, chosen = self._startable(request, object_id, kind)
        options = self.chosen_options(request, plan)

        def act(said: dict[str, Any]) -> HttpResponse:
            execution = executions.start(
                plan,
                kind=chosen,
                options=options,
                reason=said["reason"],
                confirmation=said.get("typed", ""),
                overriding=overriding,
                actor=self.actor(request),
            )
            waits = " It waits for somebody else's approval." if execution.approval_needed else ""
            told = f"The {execution} was {'asked for' if waits else 'started'}.{waits}"
            self.message_user(request, told, messages.SUCCESS)
            return HttpResponseRedirect(self.executions_page().link("change", execution))

        context = {
            **self.preflight_context(plan, options),
            **self.override_context(request, plan, chosen, options),
            **self._part_context(plan, chosen, options),
        }
        question = _question(plan, chosen, request.user, overriding=overriding, context=context)
        return confirm.confirm(self, request, plan, question, act)

    def _part_context(
        self, plan: RecoveryPlan, kind: Kind, options: StartOptions
    ) -> dict[str, Any]:
        """What the page that asks before a start shows of what was chosen."""
        context: dict[str, Any] = {
            "dry_run_link": with_query(self.link("dry_run", plan), options),
            "options_link": self._link("start_options", plan, kind, options),
            "options_said": options.said(),
            "ticket": options.ticket,
            "part": [],
        }
        if options.as_dict():
            context["whole_link"] = self._link("start", plan, kind, WHOLE)
            try:
                context["part"] = part(starting.resolve(plan, options))
            except DomainError:  # the page says so as the reason why a start would be refused
                context["part"] = []
        return context

    def _link(self, name: str, plan: RecoveryPlan, kind: Kind, options: StartOptions) -> str:
        full = f"{self.admin_site.name}:recovery_recoveryplan_{name}"
        return with_query(reverse(full, args=[plan.pk, kind.lower()]), options)


def _question(
    plan: RecoveryPlan,
    kind: Kind,
    user: Anybody,
    *,
    overriding: bool,
    context: Mapping[str, Any],
) -> confirm.Question:
    real = kind == Kind.RECOVERY
    text = (
        "This is a REAL RECOVERY: it launches the servers below for production."
        if real
        else "A drill launches the servers below beside those that run. It costs what they cost."
    )
    if overriding:
        text += " It starts ALTHOUGH the preflight keeps it from starting; say why."
    despite = " despite the preflight" if overriding else ""
    return confirm.Question(
        title=f"Start a {kind.label.lower()} of {plan}{despite}",
        text=text,
        verb=f"Start the {kind.label.lower()}{despite}",
        danger=real or overriding,
        typed=plan.name if real else "",
        typed_label="Type the plan's name to confirm",
        reason="Reason, which is recorded" if overriding else "Reason",
        template="recovery/start.html",
        context={
            **context,
            "outlook": outlook(plan, user),
            "kind": tones.kind_badge(kind),
            "overriding": overriding,
        },
    )
