"""The page of a launch job's log, as the portal has read it from DRS. Nobody is asked for it."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern

from drportal.adminkit.widgets import age
from protection.admin.recorded import RecordedAdmin
from recovery.admin import tones
from recovery.models import LaunchJob
from recovery.services import job_logs
from recovery.states import JobState

_LATE: Final = timedelta(seconds=60)  # a running job's log is read every few seconds


class JobLogPages(RecordedAdmin):
    """The logs of an execution's launch jobs."""

    def job_log_urls(self) -> list[URLPattern]:
        path = "<str:object_id>/job-logs/<uuid:job_id>/"
        return [self.url(path, self.job_log_view, "job_log")]

    def job_log_view(self, request: HttpRequest, object_id: str, job_id: UUID) -> HttpResponse:
        """What DRS said of one launch job, line by line, and how old that is."""
        execution = self.found(request, object_id)
        job = job_logs.jobs_of(execution).filter(pk=job_id).first()
        if job is None:
            raise Http404("There is no such launch job in this execution.")
        log = job_logs.recorded(job)
        names = _names(job)
        return self.render(
            request,
            "recovery/job_log.html",
            obj=execution,
            title=f"Log of {job}",
            log=log,
            badge=tones.job_badge(job.state),
            age=_age(job, log),
            lines=[_line(line, names) for line in log.items or ()],
        )


def _age(job: LaunchJob, log: job_logs.ToldLog) -> str:
    late = _LATE if job.state == JobState.STARTED else None
    return age(log.as_of, never="not known when", stale_after=late)


def _names(job: LaunchJob) -> dict[str, str]:
    servers = job.execution.servers.filter(account_id=job.aws_account_id, region=job.region)
    return dict(servers.values_list("server_id", "name"))


def _line(line: job_logs.Line, names: dict[str, str]) -> dict[str, Any]:
    server = line.get("server_id", "")
    details = [
        line.get("error", ""),
        f"instance {line['instance_id']}" if "instance_id" in line else "",
        f"conversion server {line['conversion_id']}" if "conversion_id" in line else "",
        f"attempt {line['attempt']}{_of(line)}" if "attempt" in line else "",
    ]
    return {
        "at": datetime.fromisoformat(line["at"]) if "at" in line else None,
        "event": line.get("event", ""),
        "server": server,
        "name": names.get(server, ""),
        "details": ", ".join(filter(None, details)),
    }


def _of(line: job_logs.Line) -> str:
    return f" of {line['attempts']}" if "attempts" in line else ""
