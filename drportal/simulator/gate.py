"""Where every call to the simulated AWS passes, of whatever service, in process and over HTTP.

Here a call is logged, here faults strike, here keys expire and here AssumeRole asks the trust of
the role; what is left goes on to moto.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta
from enum import Enum
from fnmatch import fnmatchcase

from drportal.simulator import guests, policies, service_quotas
from drportal.simulator.accounts import Session
from drportal.simulator.calls import Call
from drportal.simulator.faults import AFTER, BEFORE, Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.protocol import (
    Answer,
    Arrived,
    Asked,
    account_of,
    answer,
    asked,
    error_code,
    refusal,
    server_ids,
)
from drportal.simulator.world import world

current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)

# moto takes the account from this header before it looks at the key.
ACCOUNT_HEADER = "x-moto-account-id"
DEFAULT_SESSION = 3600  # seconds; STS's own default

_ACCESS_KEY = re.compile(r"<AccessKeyId>([^<]+)</AccessKeyId>")
_SESSION_ARN = re.compile(r"<Arn>([^<]+)</Arn>")


class Loss(Enum):
    """How a caller fails to get its answer."""

    TIMEOUT = "held"
    DROP = "dropped"
    UNREACHABLE = "unreachable"


class AnswerLost(Exception):
    """No answer reaches the caller. Whether the call took effect is in the call log."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss.value)
        self.loss = loss


_LOSSES = {
    Kind.TIMEOUT_BEFORE: Loss.TIMEOUT,
    Kind.TIMEOUT_AFTER: Loss.TIMEOUT,
    Kind.DROP_BEFORE: Loss.DROP,
    Kind.DROP_AFTER: Loss.DROP,
    Kind.UNREACHABLE: Loss.UNREACHABLE,
}


def exchange(request: Arrived, proceed: Callable[[str], Answer]) -> Answer:
    """Answer one request. `proceed` hands it to moto as a request of the account it is given.

    Raises AnswerLost when a fault says that no answer arrives.
    """
    wanted = asked(request)
    if wanted is None:
        return proceed(world.accounts.hub)
    session = world.accounts.session(wanted.access_key)
    account = account_of(wanted.access_key) or world.accounts.hub
    call = world.calls.open(
        at=world.clock.now(),
        service=wanted.service,
        operation=wanted.operation,
        account=account,
        region=wanted.region,
        access_key=wanted.access_key,
        role_session=session.arn if session else None,
        user_agent=request.headers.get("user-agent", ""),
        params=wanted.params,
        server_ids=server_ids(wanted.params),
    )
    try:
        answered = (
            _refused(wanted, call, session)
            or service_quotas.answered(wanted, account)
            or _inside(wanted, call)
            or _carried_out(wanted, call, proceed)
        )
        _lose_afterwards(call)
    except AnswerLost as lost:
        call.outcome = lost.loss.value
        raise
    call.status, call.error = answered.status, error_code(answered)
    call.outcome = "error" if call.error else "ok"
    return answered


def _place(call: Call) -> dict[str, str]:
    return {
        "service": call.service,
        "operation": call.operation,
        "account": call.account,
        "region": call.region,
    }


def _refused(wanted: Asked, call: Call, session: Session | None) -> Answer | None:
    if wanted.service == "drs" and call.region not in drs_backends[call.account]:
        raise AnswerLost(Loss.UNREACHABLE)  # there is no such endpoint
    fault = world.faults.strike(*BEFORE, **_place(call))
    if fault is not None:
        return _struck(fault, call)
    if session is not None and session.expires_at <= world.clock.now():
        return answer(refusal("expired", wanted.service), wanted.service)
    if not world.accounts.opted_in(call.account, call.region):
        return answer(refusal("region", wanted.service), wanted.service)
    if wanted.service == "sts":
        return _untrusted(wanted, call) if wanted.operation == "AssumeRole" else None
    refused = _not_allowed(call, session)
    if refused is None and (wanted.service, wanted.operation) == ("iam", "SimulatePrincipalPolicy"):
        return _simulated(wanted, call)  # moto has none
    return refused


def _not_allowed(call: Call, session: Session | None) -> Answer | None:
    """What the organization forbids, or the policy of the caller's role does not allow."""
    action = policies.action_of(call.service, call.operation)
    role = world.accounts.role_of(session) if session is not None else None
    said = f"User: {_principal(call)} is not authorized to perform: {action}"
    if any(fnmatchcase(action, each) for each in world.accounts.forbidden_in(call.account)):
        said = f"{said} with an explicit deny in a service control policy"
    elif role is None or role.policy is None or policies.may_call(role.policy, action):
        return None
    return answer(refusal("denied", call.service, message=said), call.service)


def _simulated(wanted: Asked, call: Call) -> Answer:
    role = world.accounts.roles.get(wanted.params.get("PolicySourceArn", ""))
    body = policies.simulated(
        wanted.params,
        role.policy if role else None,
        world.accounts.forbidden_in(call.account),
    )
    return Answer(200, {"Content-Type": "text/xml"}, body)


def _struck(fault: Fault, call: Call) -> Answer:
    if fault.kind in _LOSSES:
        raise AnswerLost(_LOSSES[fault.kind])
    message = fault.raw_error
    if fault.kind is Kind.ACCESS_DENIED and message is None:
        action = f"{call.service}:{call.operation}"
        message = f"User: {_principal(call)} is not authorized to perform: {action}"
    refused = refusal(fault.kind, call.service, message=message, seconds=fault.seconds)
    return answer(refused, call.service)


def _principal(call: Call) -> str:
    return call.role_session or f"arn:aws:sts::{call.account}:user/moto"


def _untrusted(wanted: Asked, call: Call) -> Answer | None:
    role = wanted.params.get("RoleArn", "")
    principal = _principal(call)
    external_id = wanted.params.get("ExternalId")
    if world.accounts.may_assume(role, principal=principal, external_id=external_id):
        return None
    message = f"User: {principal} is not authorized to perform: sts:AssumeRole on resource: {role}"
    return answer(refusal("denied", "sts", message=message), "sts")


def _inside(wanted: Asked, call: Call) -> Answer | None:
    """What the inside of instances answers."""
    if wanted.service not in {"ec2", "ssm"}:
        return None
    _settle(call)
    with world.lock:
        return guests.answered(wanted, call.account, world.guests, world.clock.now())


def _carried_out(wanted: Asked, call: Call, proceed: Callable[[str], Answer]) -> Answer:
    if wanted.service == "ec2":
        _settle(call)
    token = current_call.set(call)
    try:
        # moto does not expect two calls at once; DynamoDB's conditions, for one, would not hold.
        with world.lock:
            answered = proceed(call.account)
    finally:
        current_call.reset(token)
    succeeded = error_code(answered) is None
    if wanted.service != "drs":
        call.effect = succeeded
    if succeeded and (wanted.service, wanted.operation) == ("sts", "AssumeRole"):
        _remember_session(wanted, answered)
    return answered


def _settle(call: Call) -> None:
    # DRS starts and ends instances by itself, so EC2 must not be seen as it was at DRS's last call.
    regions = drs_backends[call.account]
    if call.region in [*regions.keys()]:
        with world.lock:
            regions[call.region].agenda.settle(world.clock.now())


def _remember_session(wanted: Asked, answered: Answer) -> None:
    body = answered.body if isinstance(answered.body, str) else answered.body.decode()
    key, arn = _ACCESS_KEY.search(body), _SESSION_ARN.search(body)
    if key and arn:
        seconds = int(wanted.params.get("DurationSeconds", DEFAULT_SESSION))
        expires_at = world.clock.now() + timedelta(seconds=seconds)
        world.accounts.remember(key.group(1), Session(arn.group(1), expires_at))


def _lose_afterwards(call: Call) -> None:
    fault = world.faults.strike(*AFTER, **_place(call))
    if fault is not None:
        raise AnswerLost(_LOSSES[fault.kind])
