"""The report of an execution, for whoever has to show what was done."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.serializers import Seconds
from recovery.api.execution_serializers import EventOut, ExecutionDetail
from recovery.api.plan_serializers import DifferencesOut
from recovery.engine.measures import Spent, Verdict
from recovery.services.report_pdf import pdf_of
from recovery.services.reports import Measured, report

_VERDICTS = list(Verdict)


class WaveMeasureOut(serializers.Serializer[Any]):
    """How long a wave took until its critical servers were launched; null unless all are."""

    position = serializers.IntegerField()
    name = serializers.CharField()
    critical = serializers.IntegerField(help_text="How many critical servers it has.")
    launched = serializers.IntegerField(help_text="How many of them were launched.")
    since_request_seconds = Seconds(source="since_request")
    since_start_seconds = Seconds(source="since_start")


class RecoveryPointOut(serializers.Serializer[Any]):
    """The data that a launched server came back with."""

    server_id = serializers.CharField(source="server.server_id")
    name = serializers.CharField(source="server.name")
    recovery_point_at = serializers.DateTimeField(
        source="server.recovery_point_at", allow_null=True
    )
    age_seconds = Seconds(
        source="age", help_text="How old it was when DRS was asked; null if DRS did not tell."
    )


class SpentOut(serializers.Serializer[Any]):
    """What the time went into. Each moment counts once, for the first of these that went on; the
    parts add up to the whole.
    """

    aws_seconds = serializers.FloatField(help_text="DRS was asked for a launch, not yet ended.")
    queue_seconds = serializers.FloatField(
        help_text="A launch job waited in line, for a quota or for AWS to answer."
    )
    people_seconds = serializers.FloatField(help_text="A gate waited for a person.")
    timer_seconds = serializers.FloatField(help_text="A wave waited for its timer.")
    portal_seconds = serializers.FloatField(help_text="None of these: polling and deciding.")


class MeasuredOut(serializers.Serializer[Any]):
    """An execution against the targets of the plan version that it carried out."""

    targets_known = serializers.BooleanField(
        help_text="False where the plan was deleted: what it promised is not known, and the "
        "verdicts are UNKNOWN."
    )
    critical = serializers.IntegerField(
        help_text="Critical servers that were not left out; without any, no RTO can be reached."
    )
    rto_seconds = Seconds(source="rto", help_text="Null if the plan has none, or is not known.")
    rto_taken_seconds = Seconds(
        source="rto_taken",
        help_text="From the request until the last critical server was launched; null unless all "
        "of them are.",
    )
    rto_verdict = serializers.ChoiceField(choices=_VERDICTS)
    rpo_seconds = Seconds(source="rpo", help_text="Null if the plan has none, or is not known.")
    rpo_worst_seconds = Seconds(
        source="rpo_worst", help_text="The oldest recovery point of a launched server."
    )
    rpo_unknown_servers = serializers.IntegerField(
        source="rpo_unknown", help_text="Launched servers whose recovery point DRS did not tell."
    )
    rpo_verdict = serializers.ChoiceField(choices=_VERDICTS)
    took_seconds = Seconds(source="took", allow_null=False)
    spent = serializers.SerializerMethodField()
    waves = WaveMeasureOut(many=True)
    recovery_points = RecoveryPointOut(source="points", many=True)

    @extend_schema_field(SpentOut)
    def get_spent(self, measured: Measured) -> Any:
        return {f"{what.lower()}_seconds": measured.spent[what].total_seconds() for what in Spent}


class SinceOut(serializers.Serializer[Any]):
    """What is different from the last ended execution of the same plan and kind."""

    execution_id = serializers.UUIDField(source="execution.pk")
    plan_version = serializers.IntegerField(source="execution.plan_version")
    state = serializers.CharField(source="execution.state")
    finished_at = serializers.DateTimeField(source="execution.finished_at")
    changes = DifferencesOut(
        allow_null=True, help_text="Of the plan; null if one of the versions is gone."
    )
    servers_added = serializers.ListField(child=serializers.CharField())
    servers_left_out = serializers.ListField(child=serializers.CharField())


class ReportOut(serializers.Serializer[Any]):
    """What was asked for, what came of it, how long it took and why."""

    made_at = serializers.DateTimeField()
    final = serializers.BooleanField(help_text="Whether the execution has ended.")
    execution = serializers.SerializerMethodField()
    measured = MeasuredOut()
    since_the_last_one = SinceOut(
        source="since", allow_null=True, help_text="Null if there was none before."
    )
    events = EventOut(many=True, help_text="All of them, oldest first.")

    @extend_schema_field(ExecutionDetail)
    def get_execution(self, _: Any) -> Any:
        return ExecutionDetail(self.context["execution"]).data


class PdfRenderer(BaseRenderer):
    """A report as a PDF. What went wrong is no report: it is told as everywhere else."""

    media_type = "application/pdf"
    format = "pdf"
    charset = None
    render_style = "binary"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        if isinstance(data, bytes):
            return data
        told: bytes = JSONRenderer().render(data, *args, **kwargs)
        return told


class ReportActions(RecordedViewSet):
    """The report of an execution."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "format",
                enum=["json", "pdf"],
                description="pdf: as a PDF, as `Accept: application/pdf` has it too.",
            )
        ],
        responses={
            (200, "application/json"): ReportOut,
            (200, "application/pdf"): OpenApiTypes.BINARY,
        },
    )
    @action(detail=True, filter_backends=(), renderer_classes=[JSONRenderer, PdfRenderer])
    def report(self, _: Request, **__: str) -> Response:
        """Everything that is told of an execution: who asked for what and why, what became of
        each server, its gates, how long it took against RTO and RPO and where the time went, and
        what is different from the last one. Of one that has not ended it is what is so far.
        """
        found = report(self.the_object())
        if isinstance(self.request.accepted_renderer, PdfRenderer):
            name = f"report-{found.execution.pk}.pdf"
            headers = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response(pdf_of(found), headers=headers)
        return Response(ReportOut(found, context={"execution": found.execution}).data)
