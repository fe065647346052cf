"""The OpenAPI document: what every operation has in common is said once, here."""

from typing import Any, ClassVar

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS

from drportal.api import idempotency
from drportal.api.problem import CONTENT_TYPE


class FieldProblem(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField(help_text="A path such as `waves[0].group_ids`.")
    code = serializers.CharField(help_text="Stays the same for ever.")
    message = serializers.CharField(help_text="A sentence for a person.")


class Problem(serializers.Serializer[Any]):
    """Why a request was not carried out (RFC 9457). Nothing was changed."""

    type = serializers.CharField(help_text="Always `about:blank`: `code` says more.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    code = serializers.CharField(
        help_text="What happened; stays the same for ever, such as `recovery.plan_already_running`."
    )
    detail = serializers.CharField(help_text="A sentence for a person.")
    errors = FieldProblem(many=True, required=False, help_text="Each field that is wrong.")
    context = serializers.DictField(
        required=False, help_text="The identifiers that the detail speaks of."
    )
    correlation_id = serializers.CharField(help_text="Finds the request in logs and audit.")


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
    422: "The idempotency key belongs to another request.",
}
_KEY = OpenApiParameter(
    idempotency.HEADER,
    str,
    OpenApiParameter.HEADER,
    description=(
        "1 to 255 visible ASCII characters. The same key with the same request within 24 hours is "
        "carried out once and answered alike, with `Idempotency-Replayed: true`."
    ),
)


class PortalSchema(AutoSchema):  # type: ignore[misc]  # no annotations there
    """Adds every operation's problems, and the idempotency key of writes."""

    _reads: ClassVar[frozenset[str]] = frozenset(SAFE_METHODS)

    def get_override_parameters(self) -> list[Any]:
        found: list[Any] = list(super().get_override_parameters())
        return found if self._reading() else [*found, _KEY]

    def get_response_serializers(self) -> Any:
        found = super().get_response_serializers()
        answers = dict(found) if isinstance(found, dict) else {self._status(): found}
        for status, description in self._problems().items():
            answers.setdefault(
                (status, CONTENT_TYPE), OpenApiResponse(Problem, description=description)
            )
        return answers

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def _problems(self) -> dict[int, str]:
        problems = dict(_ALWAYS)
        if "{" in self.path:
            problems |= _OF_AN_OBJECT
        if not self._reading():
            problems |= _OF_WRITES
        return problems

    def _reading(self) -> bool:
        return self.method in self._reads

    def _status(self) -> int:
        return {"POST": 201, "DELETE": 204}.get(self.method, 200)


__all__ = ["PortalSchema", "Problem", "inline_serializer"]
