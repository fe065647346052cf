"""boto3 sessions that share one loader: reading a service's model from disk is what costs."""

from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.loaders import Loader

from drportal.observability import correlation_id


@cache
def _loader() -> Loader:
    return Loader()


def session(
    *,
    region: str,
    access_key: str | None = None,
    secret_key: str | None = None,
    token: str | None = None,
) -> boto3.Session:
    """A session in `region`; without keys, with those that boto3 finds by itself.

    Its clients name the portal and the piece of work under way in each call's User-Agent, which
    CloudTrail keeps.
    """
    inner = botocore.session.get_session()
    inner.register("before-call", _say_who)
    inner.register_component("data_loader", _loader())
    return boto3.Session(
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        botocore_session=inner,
    )


def _say_who(**event: Any) -> None:
    headers = event["params"]["headers"]
    work = correlation_id()
    agent = f"drportal/{work}" if work else "drportal"
    headers["User-Agent"] = f"{headers.get('User-Agent', '')} {agent}".strip()
