"""Refusals that only HTTP knows, beside what the services raise."""

from http import HTTPStatus

from rest_framework.exceptions import APIException


class BodyTooLarge(APIException):
    """The body is longer than anything that the portal takes."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes.")


class LengthRequired(APIException):
    """A body without a Content-Length: it would pass for an empty one."""

    status_code = HTTPStatus.LENGTH_REQUIRED
    default_code = "length_required"
    default_detail = "Send the body with a Content-Length."


class MalformedJson(APIException):
    """The body is not one JSON document that can be taken without loss."""

    status_code = HTTPStatus.BAD_REQUEST
    default_code = "malformed_json"


class KeyReused(APIException):
    """An idempotency key that belongs to another request."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = "This idempotency key belongs to another request of yours."


class KeyInUse(APIException):
    """The request with this idempotency key is being carried out right now."""

    status_code = HTTPStatus.CONFLICT
    default_code = "idempotency_key_in_use"
    default_detail = "The request with this idempotency key is being carried out. Ask again."
    wait = 1  # seconds; DRF makes Retry-After of it


class CsrfFailed(APIException):
    """A cookie without the token that shows who sent it."""

    status_code = HTTPStatus.FORBIDDEN
    default_code = "csrf_failed"


class CredentialsRefused(APIException):
    """A wrong name, a wrong password or an account that is not active: which, is not said."""

    status_code = HTTPStatus.UNAUTHORIZED
    default_code = "credentials_refused"
    default_detail = "There is no active account with this username and password."


class CannotTell(APIException):
    """Something that must be known before the answer cannot be found out now."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "unavailable"
    wait = 5  # seconds; DRF makes Retry-After of it
