"""How often somebody may try to log in."""

from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from drportal.api.errors import CannotTell

PERIOD = 60  # seconds
TRIES_OF_A_NAME, TRIES_OF_AN_ADDRESS = 10, 60


class LogInTries(BaseThrottle):
    """In a minute, 10 tries of one username from one address and 60 of all from that address.

    Without the cache the tries cannot be counted, and nobody logs in here.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  # DRF's signature
        address = request.META.get("REMOTE_ADDR", "")
        name = request.data.get("username", "") if isinstance(request.data, dict) else ""
        try:
            of_address = _counted(f"log-in:{address}")
            of_name = _counted(f"log-in:{address}:{str(name)[:150].lower().encode().hex()}")
        except RedisError as error:
            raise CannotTell("Log-in tries cannot be counted now.") from error
        return of_address <= TRIES_OF_AN_ADDRESS and of_name <= TRIES_OF_A_NAME

    def wait(self) -> float:
        return PERIOD


def _counted(key: str) -> int:
    """How many tries there were in this period, this one among them."""
    cache.add(key, 0, PERIOD)
    try:
        return int(cache.incr(key))
    except ValueError:  # the period ended between the two
        cache.set(key, 1, PERIOD)
        return 1
