from __future__ import annotations

from typing import Any, ClassVar

from moto.core.exceptions import ServiceException


class DRSError(ServiceException):
    """Base of every error of the model. `status` is the HTTP status of botocore's model."""

    status: ClassVar[int] = 400
    retry_after: int | None = None

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(message)
        for name, value in members.items():
            setattr(self, name, value)


class AccessDeniedException(DRSError):
    """The caller, or a role DRS needs, lacks a permission."""

    code = "AccessDeniedException"
    status = 403


class ConflictException(DRSError):
    """The state of a resource forbids the call; nothing was changed."""

    code = "ConflictException"
    status = 409


class ResourceNotFoundException(DRSError):
    """A resource the call names does not exist here."""

    code = "ResourceNotFoundException"
    status = 404

    def __init__(self, message: str, *, resource_id: str, resource_type: str) -> None:
        super().__init__(message, resourceId=resource_id, resourceType=resource_type)


class ServiceQuotaExceededException(DRSError):
    """The call would exceed the quota of this code; nothing was changed."""

    code = "ServiceQuotaExceededException"
    status = 402

    def __init__(self, message: str, *, quota_code: str, **members: Any) -> None:
        super().__init__(message, serviceCode="drs", quotaCode=quota_code, **members)


class UninitializedAccountException(DRSError):
    """InitializeService has not been called in this account and Region."""

    code = "UninitializedAccountException"
    status = 400

    def __init__(self) -> None:
        super().__init__("Account not initialized")


class ValidationException(DRSError):
    """`reason` is one of the model's four; `fields` are (name, message) pairs."""

    code = "ValidationException"
    status = 400

    def __init__(
        self,
        message: str,
        *,
        reason: str = "other",
        fields: list[tuple[str, str]] | None = None,
    ) -> None:
        listed = [{"name": name, "message": text} for name, text in fields or []]
        super().__init__(message, reason=reason, fieldList=listed)


class ThrottlingException(DRSError):
    """Too many calls; `retry_after` in seconds."""

    code = "ThrottlingException"
    status = 429

    def __init__(self, message: str = "Rate exceeded", *, retry_after: int = 1) -> None:
        super().__init__(message, serviceCode="drs", quotaCode="RequestRate")
        self.retry_after = retry_after


class InternalServerException(DRSError):
    """An error of DRS itself; `retry_after` in seconds."""

    code = "InternalServerException"
    status = 500

    def __init__(self, message: str = "Internal server error", *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotImplementedHere(DRSError):
    """DRS has the operation, the simulator does not. The code is none of AWS's."""

    code = "SimulatorNotImplemented"
    status = 501

    def __init__(self, operation: str) -> None:
        super().__init__(f"The simulator does not implement drs:{operation}.")


class UnknownOperation(DRSError):
    """A path that no operation of DRS has."""

    code = "UnknownOperationException"
    status = 404

    def __init__(self) -> None:
        super().__init__("DRS has no such operation.")
