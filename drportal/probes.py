"""Whether the services that the environment names answer, asked before anything relies on them."""

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import psycopg
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from drportal.settings.env import Env

_SECONDS = 5


def problems(env: Env) -> list[str]:
    """Every configured service that does not answer, and every address that is wrong.

    Each sentence begins with the setting's name and holds no secret. Services are asked with
    short time-outs; this takes 15 seconds at most.
    """
    fresh = env.again()
    database = fresh.database("DATABASE_URL")
    redis_url = fresh.redis("REDIS_URL")
    aws_url = fresh.url("AWS_ENDPOINT_URL", {"http", "https"}, "")
    wrong = {problem.split(" ", 1)[0] for problem in fresh.problems}
    found = list(fresh.problems)
    if "DATABASE_URL" not in wrong:
        found += _postgres(database)
    if "REDIS_URL" not in wrong:
        found += _redis(redis_url)
    if aws_url and "AWS_ENDPOINT_URL" not in wrong:
        found += _aws(aws_url)
    return found


def _postgres(entry: dict[str, Any]) -> list[str]:
    named = {
        "dbname": entry["NAME"],
        "user": entry["USER"],
        "password": entry["PASSWORD"],
        "host": entry["HOST"],
        "port": entry["PORT"],
    }
    given = {key: value for key, value in named.items() if value} | entry["OPTIONS"]
    try:
        psycopg.connect(**{"connect_timeout": _SECONDS, **given}).close()
    except psycopg.Error as error:
        return [f"DATABASE_URL: PostgreSQL does not let us in: {_one_line(error)}"]
    return []


def _redis(url: str) -> list[str]:
    try:
        client = Redis.from_url(
            url,
            socket_connect_timeout=_SECONDS,
            socket_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # the greeting of 3 hides "Authentication required" behind itself
        )
        try:
            client.ping()
        finally:
            client.close()
    except (RedisError, OSError, ValueError) as error:
        return [f"REDIS_URL: Redis does not answer: {_one_line(error)}"]
    return []


def _aws(url: str) -> list[str]:
    try:
        urllib.request.urlopen(url, timeout=_SECONDS).close()  # noqa: S310  # http or https, as env.url saw to
    except urllib.error.HTTPError:
        return []  # it answers, and that is all that was asked
    except (OSError, ValueError, HTTPException) as error:
        asked = urlsplit(url).netloc.rpartition("@")[2]
        return [f"AWS_ENDPOINT_URL: no HTTP answer from {asked}: {_one_line(error)}"]
    return []


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") + "."
