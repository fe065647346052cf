"""boto3 sessions that share one loader: reading a service's model from disk is what costs."""

from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.awsrequest import AWSPreparedRequest
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
    # When it is sent, for botocore writes the header anew after all earlier events; first, for
    # whoever answers in the network's place does so at this event too.
    inner.get_component("event_emitter").register_first("before-send", _say_who)
    inner.register_component("data_loader", _loader())
    return boto3.Session(
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        botocore_session=inner,
    )


def _say_who(request: AWSPreparedRequest, **_: Any) -> None:
    work = correlation_id()
    agent = f"drportal/{work}" if work else "drportal"
    said: Any = request.headers.get("User-Agent", "")
    if isinstance(said, bytes):  # botocore encodes a call's headers before it sends them
        said = said.decode()
    request.headers["User-Agent"] = f"{said} {agent}".strip()
