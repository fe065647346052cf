"""The pages on which a person has launched servers checked again, or takes a check as passed."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern

from drportal.adminkit import confirm
from recovery.admin.steering import SteeringPages, wave_of
from recovery.models import ServerCheck
from recovery.services import check_requests
from recovery.services.plan_rules import named


class CheckPages(SteeringPages):
    """Pages about the checks of an execution, for those who may steer it."""

    def check_urls(self) -> list[URLPattern]:
        return [
            self.url(
                "<str:object_id>/check-again/<int:position>/",
                self.check_again_view,
                "check_again",
            ),
            self.url(
                "<str:object_id>/pass-check/<uuid:check_id>/", self.pass_check_view, "pass_check"
            ),
        ]

    def check_again_view(self, request: HttpRequest, object_id: str, position: int) -> HttpResponse:
        """Ask, then make the checks again that servers of a wave have not passed."""
        execution = self.steerable(request, object_id)
        wave = wave_of(execution, position)
        servers = [row for row in wave.servers.all() if check_requests.may_be_checked_again(row)]
        question = confirm.Question(
            title=f"Check servers of {wave} again",
            text="These servers were launched, and have not passed their checks. Nothing is "
            "launched again, for DRS would replace their instances. The wave gets its whole time "
            "limit again, and waves that only it blocked wait for it.",
            verb="Check again",
            danger=False,
            reason="Reason",
            template="recovery/servers.html",
            context={"servers": servers},
        )

        def act(said: dict[str, Any]) -> str:
            check_requests.again(
                execution,
                position=position,
                server_ids=[server.server_id for server in servers],
                reason=said["reason"],
                actor=self.actor(request),
            )
            return f"Checked again: {named([server.name for server in servers])}."

        return self.asked(request, execution, question, act)

    def pass_check_view(self, request: HttpRequest, object_id: str, check_id: UUID) -> HttpResponse:
        """Ask, then take a check as passed."""
        execution = self.steerable(request, object_id)
        rows = ServerCheck.objects.filter(server__execution=execution).select_related("server")
        check = rows.filter(pk=check_id).first()
        if check is None:
            raise Http404("There is no such check.")
        last = f" The last look found: {check.message}" if check.message else ""
        question = confirm.Question(
            title=f"Mark {check} as passed",
            text="It counts as passed on your word, and the record says so. If its server lacks "
            f"nothing else it is ready, and what had ended for want of it goes on.{last}",
            verb="Mark as passed",
            reason="Reason (needed)",
        )

        def act(said: dict[str, Any]) -> str:
            check_requests.pass_by_hand(
                execution, check_id=check_id, reason=said["reason"], actor=self.actor(request)
            )
            return f"Marked as passed: {check.name} of {check.server.name}."

        return self.asked(request, execution, question, act)
