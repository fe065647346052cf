"""boto3 sessions that share one loader: reading a service's model from disk is what costs."""

from functools import cache

import boto3
import botocore.session
from botocore.loaders import Loader


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
    """A session in `region`; without keys, with those that boto3 finds by itself."""
    inner = botocore.session.get_session()
    inner.register_component("data_loader", _loader())
    return boto3.Session(
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        botocore_session=inner,
    )
