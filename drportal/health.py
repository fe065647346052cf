"""What a load balancer and an operator ask: is the process up, and can it do its work?

The answers go to anybody, so they name no host, no address and no setting.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from drportal import heartbeats
from drportal.mirror.selectors import LATE as LATE_MIRROR
from drportal.mirror.selectors import not_given_back, standing

# A sign of life is due every 5 s; a message may wait behind a busy worker for a while.
LATE = timedelta(seconds=30)
_BROKER_SECONDS = 2
_BROKER_TROUBLES = (redis.RedisError, OSError, ValueError)
_IN_DATABASE = ("worker", "engine", "beat", "mirror", "restored")


class Health(StrEnum):
    """How a part does. UNKNOWN means that it could not be asked, which is not OK."""

    OK = "OK"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Check:
    """How one part does. `age_seconds` is how old its last sign of life, or its backlog, is."""

    status: Health
    detail: str
    age_seconds: float | None = None


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # every view takes one
    """Whether this process answers. It asks nothing of anybody else."""
    return JsonResponse({"status": Health.OK})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # every view takes one
    """Whether the portal can do its work: 503 unless database and broker answer.

    The rest tells an operator what is wrong, but taking this process out of service would not
    mend it. `status` is the worst of all checks.
    """
    checks = {"database": _database(), "broker": _broker()}
    ready = all(check.status is Health.OK for check in checks.values())
    if checks["database"].status is Health.OK:
        checks |= _from_database()
    else:
        asked = Check(Health.UNKNOWN, "The database does not answer.")
        checks |= dict.fromkeys(_IN_DATABASE, asked)
    body = {
        "status": _worst([check.status for check in checks.values()]),
        "checks": {name: asdict(check) for name, check in checks.items()},
    }
    return JsonResponse(body, status=200 if ready else 503)


def _worst(found: list[Health]) -> Health:
    return next((s for s in (Health.FAILED, Health.UNKNOWN) if s in found), Health.OK)


def _database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Check(Health.FAILED, "The database does not answer.")
    return Check(Health.OK, "The database answers.")


def _broker() -> Check:
    try:
        with _connected() as broker:
            broker.ping()
    except _BROKER_TROUBLES:
        return Check(Health.FAILED, "The broker does not answer.")
    return Check(Health.OK, "The broker answers.")


def _waiting(queue: str) -> int | None:
    """How many messages nobody has taken from a queue; None if the broker does not answer."""
    try:
        with _connected() as broker:
            return int(broker.execute_command("LLEN", queue))
    except _BROKER_TROUBLES:
        return None


def _connected() -> redis.Redis:
    return redis.Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_connect_timeout=_BROKER_SECONDS,
        socket_timeout=_BROKER_SECONDS,
    )


def _from_database() -> dict[str, Check]:
    try:
        now, heard = timezone.now(), heartbeats.last_heard()
        mirror, restored = _mirror(), _restored()
    except DatabaseError:  # it went away since, or its tables are not there yet
        asked = Check(Health.UNKNOWN, "The database could not be read.")
        return dict.fromkeys(_IN_DATABASE, asked)
    worker, engine, beat = (
        _alive(heard.get(name), name, now)
        for name in (heartbeats.WORKER, heartbeats.ENGINE, heartbeats.BEAT)
    )
    return {
        "worker": _given_work(worker, "default"),
        "engine": _given_work(engine, "engine"),
        "beat": _beat(beat, worker),
        "mirror": mirror,
        "restored": restored,
    }


def _alive(at: datetime | None, name: str, now: datetime) -> Check:
    if at is None:
        return Check(Health.UNKNOWN, f"No {name} has given a sign of life yet.")
    age = round(max(0.0, (now - at).total_seconds()), 1)
    if age > LATE.total_seconds():
        return Check(Health.FAILED, f"The last sign of life is older than {LATE.seconds} s.", age)
    return Check(Health.OK, "It gave a sign of life.", age)


def _given_work(sign: Check, queue: str) -> Check:
    """A worker gives signs of life only while it is sent messages: without any, who knows."""
    if sign.status is Health.FAILED and _waiting(queue) == 0:
        return Check(Health.UNKNOWN, "Nothing is sent to it.", sign.age_seconds)
    return sign


def _beat(sign: Check, worker: Check) -> Check:
    """Beat's sign of life is heard by a worker only; but what it sent would wait for one."""
    if sign.status is not Health.FAILED or worker.status is Health.OK:
        return sign
    if _waiting("default") == 0:
        return Check(Health.FAILED, "It sends nothing.", sign.age_seconds)
    return Check(Health.UNKNOWN, "No worker is there to hear it.", sign.age_seconds)


def _mirror() -> Check:
    now = standing()
    age = round(now.lag, 1)
    if now.holder:
        said = f"The tables are those of portal {now.holder}: nothing is sent."
        return Check(Health.FAILED, said, age)
    if not now.behind:
        return Check(Health.OK, "DynamoDB is up to date.", age)
    detail = f"{now.behind} objects wait to be sent, {now.failing} of them after a failure."
    if now.lag > LATE_MIRROR.total_seconds():
        return Check(Health.FAILED, detail, age)
    return Check(Health.OK, detail, age)


def _restored() -> Check:
    """Whether everything is there that a restore from the mirror could not give back."""
    lacking = not_given_back()
    if lacking:
        return Check(Health.FAILED, " ".join(lacking))
    return Check(Health.OK, "Nothing is missing.")
