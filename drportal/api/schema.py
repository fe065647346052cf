"""The OpenAPI document: what every operation has in common is said once, here."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS

from drportal.api import idempotency
from drportal.api.problem import CONTENT_TYPE

_FIELD = inline_serializer(
    "FieldProblem",
    {
        "field": serializers.CharField(help_text="A path such as `waves[0].group_ids`."),
        "code": serializers.CharField(help_text="What is wrong; stays the same for ever."),
        "message": serializers.CharField(help_text="A sentence for a person."),
    },
    many=True,
    required=False,
    help_text="Each field or parameter that is wrong.",
)
PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(help_text="Always `about:blank`: `code` says more."),
        "title": serializers.CharField(help_text="The status in words."),
        "status": serializers.IntegerField(help_text="The HTTP status."),
        "code": serializers.CharField(
            help_text="What happened; stays the same for ever: `recovery.plan_already_running`."
        ),
        "error": serializers.CharField(
            required=False,
            help_text="The code by which clients of the reference system know it, if it has one.",
        ),
        "detail": serializers.CharField(help_text="A sentence for a person."),
        "errors": _FIELD,
        "context": serializers.DictField(
            required=False, help_text="The identifiers that the detail speaks of."
        ),
        "correlation_id": serializers.CharField(help_text="Finds the request in log and audit."),
    },
)


_ALWAYS = {
    400: "The request is not valid, or has a parameter or field that is not declared.",
    401: "Nobody is signed in.",
    403: "The person may not do this, or the CSRF token is missing.",
}
_OF_AN_OBJECT = {404: "There is no such object, or none that the person may see."}
_OF_WRITES = {
    409: "The state of things, or a limit, does not allow it now.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not application/json.",
    503: "The portal cannot tell or do it now; Retry-After may say when to ask again.",
}
_OF_REPEATABLE = {422: "The idempotency key belongs to another request."}
_KEY = OpenApiParameter(
    idempotency.HEADER,
    str,
    OpenApiParameter.HEADER,
    description=(
        "1 to 255 visible ASCII characters. The same key with the same request within 24 hours is "
        "carried out once and answered alike, with `Idempotency-Replayed: true`."
    ),
)


def refusal(status: int, description: str) -> dict[Any, OpenApiResponse]:
    """A problem that one operation has beside the usual ones, for `extend_schema(responses=)`."""
    return {(status, CONTENT_TYPE): OpenApiResponse(PROBLEM, description=description)}


class PortalSchema(AutoSchema):
    """Adds to every operation its problems, and to writes the idempotency key."""

    def get_override_parameters(self) -> list[Any]:
        found: list[Any] = list(super().get_override_parameters())
        return [*found, _KEY] if self._repeatable() else found

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        # Not get_response_serializers: what @extend_schema declares would take its place.
        answers: dict[str, Any] = super()._get_response_bodies(direction)
        for status, description in self._problems().items():
            answer = OpenApiResponse(PROBLEM, description=description)
            answers.setdefault(
                str(status),
                self._get_response_for_code(  # type: ignore[no-untyped-call]  # no annotations there
                    answer, str(status), [CONTENT_TYPE], direction
                ),
            )
        return answers

    def _problems(self) -> dict[int, str]:
        problems = dict(_ALWAYS)
        if "{" in self.path:
            problems |= _OF_AN_OBJECT
        if not self._reads():
            problems |= _OF_WRITES
        if self._repeatable():
            problems |= _OF_REPEATABLE
        return problems

    def _reads(self) -> bool:
        return self.method in SAFE_METHODS

    def _repeatable(self) -> bool:
        return not self._reads() and bool(getattr(self.view, "replayable", False))
