"""The logs that DRS keeps of an execution's launch jobs."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.serializers import Known
from drportal.errors import InvalidInput
from recovery.services import job_logs


class LogLineOut(serializers.Serializer[Any]):
    """A line of a job's log. A line about the whole job names no server."""

    at = serializers.SerializerMethodField(help_text="Null if DRS does not say when.")
    event = serializers.SerializerMethodField(help_text="As DRS spells it.")
    server_id = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField(help_text="DRS's own words.")
    instance_id = serializers.SerializerMethodField()
    conversion_id = serializers.SerializerMethodField(help_text="The conversion server's instance.")
    attempt = serializers.SerializerMethodField()
    attempts = serializers.SerializerMethodField(help_text="How often DRS tries at most.")

    def get_at(self, line: job_logs.Line) -> str | None:
        return line.get("at")

    def get_event(self, line: job_logs.Line) -> str | None:
        return line.get("event")

    def get_server_id(self, line: job_logs.Line) -> str | None:
        return line.get("server_id")

    def get_error(self, line: job_logs.Line) -> str | None:
        return line.get("error")

    def get_instance_id(self, line: job_logs.Line) -> str | None:
        return line.get("instance_id")

    def get_conversion_id(self, line: job_logs.Line) -> str | None:
        return line.get("conversion_id")

    def get_attempt(self, line: job_logs.Line) -> int | None:
        return line.get("attempt")

    def get_attempts(self, line: job_logs.Line) -> int | None:
        return line.get("attempts")


class JobLogOut(serializers.Serializer[Any]):
    """The log of a launch job, as far as it is known."""

    wave = serializers.IntegerField(source="job.wave.position", help_text="The wave's position.")
    job_id = serializers.UUIDField(source="job.pk")
    drs_job_id = Known(source="job.drs_job_id", help_text="Null until DRS has given it.")
    account_id = serializers.CharField(source="job.aws_account_id")
    region = serializers.CharField(source="job.region")
    state = serializers.CharField(source="job.state")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field of DRF has it too
        choices=list(job_logs.Source), allow_null=True, help_text="Null where nothing is known."
    )
    as_of = serializers.DateTimeField(allow_null=True, help_text="When DRS told it.")
    missing = Known(help_text="Why there is no log, or with `fresh` none from just now.")
    left_out = serializers.IntegerField(help_text="Older lines that were too many to keep.")
    items = LogLineOut(
        many=True, allow_null=True, help_text="The oldest first; null where nobody has told them."
    )


class JobLogActions(RecordedViewSet):
    """Reading the logs of an execution's launch jobs."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "fresh", OpenApiTypes.BOOL, description="Whether DRS is asked now, for 5 seconds."
            ),
            OpenApiParameter("drs_job_id", OpenApiTypes.STR, description="Of this job only."),
        ],
        responses=JobLogOut(many=True),
    )
    @action(detail=True, url_path="job-logs", filter_backends=())
    def job_logs(self, request: Request, **__: str) -> Response:
        """What DRS's logs say of each launch job, the newest job first: as the portal has read them
        while it watched, without asking AWS. `as_of` says how old that is.

        With `fresh=true`, DRS is asked about the jobs of the page. Of one that it does not tell of
        in time, what was recorded is shown, and `missing` says what went wrong where.
        """
        jobs = job_logs.jobs_of(self.the_object())
        if wanted := request.query_params.get("drs_job_id"):
            jobs = jobs.filter(drs_job_id=wanted)
        page = self.paginate_queryset(jobs) or []
        told = job_logs.asked(page) if _fresh(request) else map(job_logs.recorded, page)
        return self.get_paginated_response(JobLogOut(list(told), many=True).data)


def _fresh(request: Request) -> bool:
    given = request.query_params.get("fresh", "false")
    if given not in {"true", "false"}:
        raise InvalidInput.field("fresh", "invalid", "Give true or false.")
    return given == "true"
