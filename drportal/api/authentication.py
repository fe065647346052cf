"""Who is asking: a person with a session cookie, from the admin or from POST /api/v1/session."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from drportal.api.errors import CsrfFailed


class SessionAuthentication(authentication.SessionAuthentication):
    """The session cookie; a write also needs the CSRF token, in the header X-CSRFToken.

    Nobody is 401, with a challenge, and somebody who may not is 403.
    """

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  # DRF's signature
        return 'Session realm="DR portal"'

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            raise CsrfFailed(str(error.detail)) from error


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # no annotations there
    """How the OpenAPI document says it."""

    target_class = "drportal.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # noqa: ARG002  # theirs
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "POST /api/v1/session sets it. Writes also send X-CSRFToken.",
        }
