from __future__ import annotations

import json
from typing import Any, ClassVar

from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model

from drportal.simulator import validation
from drportal.simulator.exceptions import (
    DRSError,
    NotImplementedHere,
    UninitializedAccountException,
    UnknownOperation,
)
from drportal.simulator.faults import Kind
from drportal.simulator.gate import current_call
from drportal.simulator.models import DRSBackend, drs_backends
from drportal.simulator.operations import HANDLERS
from drportal.simulator.world import world

NO_CONTENT = 204  # moto would write "{}", which plain HTTP clients refuse to read


class DRSResponse(BaseResponse):
    """One request to DRS, whatever the operation."""

    # The model gives these four no UninitializedAccountException.
    WITHOUT_INITIALIZATION: ClassVar = frozenset(
        {"InitializeService", "ListTagsForResource", "TagResource", "UntagResource"}
    )

    # moto would decode the body before anything could refuse what is not UTF-8.
    use_raw_body = True

    def __init__(self) -> None:
        super().__init__(service_name="drs")
        self.automated_parameter_parsing = True
        self.params: dict[str, Any] = {}
        self._unreadable: DRSError | None = None

    @property
    def backend(self) -> DRSBackend:
        return drs_backends[self.current_account][self.region]

    def parse_parameters(self, request: Request) -> None:
        # moto's parser breaks on wrong JSON types, and does so before it has an answer to give.
        try:
            operation = self._get_action()
            validation.check_json_types(operation, request.data)
            validation.check_query(operation, request.args)
        except DRSError as error:
            self._unreadable = error
        else:
            super().parse_parameters(request)

    def call_action(self) -> TYPE_RESPONSE:
        operation = self._get_action()
        if not operation:
            return self._outside_the_model(UnknownOperation())
        if operation not in HANDLERS:
            return self._outside_the_model(NotImplementedHere(operation))
        try:
            return self._answered(operation, self._run(operation))
        except ServiceException as error:
            return self.serialized(ActionResult(error))

    def _outside_the_model(self, error: DRSError) -> TYPE_RESPONSE:
        # moto's serializer only knows errors of the model.
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}
        body = json.dumps({"message": error.message})
        return error.status, self.response_headers | headers, body

    def _run(self, operation: str) -> dict[str, Any]:
        if self._unreadable:
            raise self._unreadable
        with world.lock:
            backend = self.backend
            self._check_account(operation, backend)
            validation.validate(operation, self.params)
            backend.agenda.settle(world.clock.now())
            result = HANDLERS[operation](backend, **self.params)
            self._note_effect(result)
        if world.settings.strict_model:
            validation.check_output(operation, result)
        return result

    def _check_account(self, operation: str, backend: DRSBackend) -> None:
        if operation in self.WITHOUT_INITIALIZATION:
            return
        place = {"account": backend.account_id, "region": backend.region_name}
        fault = world.faults.strike(Kind.UNINITIALIZED, service="drs", operation=operation, **place)
        if fault or not backend.initialized:
            raise UninitializedAccountException

    def _note_effect(self, result: dict[str, Any]) -> None:
        call = current_call.get()
        if call is not None:
            call.effect = True
            call.job_id = result.get("job", {}).get("jobID")

    def _answered(self, operation: str, result: dict[str, Any]) -> TYPE_RESPONSE:
        # Results have wire names, and no member of DRS goes into a header, so they are JSON as
        # they are. moto's serializer takes a millisecond for each server.
        status = get_service_model("drs").operation_model(operation).http["responseCode"]
        body = "" if status == NO_CONTENT else json.dumps(_present(result))
        return status, self.response_headers | {"Content-Type": "application/json"}, body

    def serialized(self, action_result: ActionResult) -> TYPE_RESPONSE:
        status, headers, body = super().serialized(action_result)
        error = action_result.result
        if isinstance(error, DRSError):
            status = error.status
            if error.retry_after is not None:
                # moto does not write members that the model binds to a header.
                headers["Retry-After"] = str(error.retry_after)
        return status, headers, body


def _present(value: Any) -> Any:
    """Without the members that are None: they are absent on the wire."""
    if isinstance(value, dict):
        return {name: _present(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_present(inner) for inner in value]
    return value
