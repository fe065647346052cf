"""boto3 sessions that share one loader: reading a service's model from disk is what costs."""

from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.awsrequest import AWSPreparedRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.loaders import Loader

from drportal.observability import correlation_id


@cache
def _loader() -> Loader:
    return Loader()


class Keys(Credentials):
    """The keys that a client signs each call with. They can be changed for newer ones, all at once,
    while it is in use: making a client anew costs far more than any call, and its connections.
    """

    def __init__(self, access_key: str, secret_key: str, token: str) -> None:
        super().__init__(access_key, secret_key, token)
        self._now = ReadOnlyCredentials(access_key, secret_key, token)

    def change(self, access_key: str, secret_key: str, token: str) -> None:
        self._now = ReadOnlyCredentials(access_key, secret_key, token)

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """What botocore asks for whenever it signs."""
        return self._now


class _Given:
    """Gives a session its keys, in the place of all that botocore would look for them in."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def load_credentials(self) -> Keys:
        return self._keys


def session(*, region: str, keys: Keys | None = None) -> boto3.Session:
    """A session in `region`; without keys, with those that boto3 finds by itself.

    Its clients name the portal and the piece of work under way in each call's User-Agent, which
    CloudTrail keeps.
    """
    inner = botocore.session.get_session()
    # When it is sent, for botocore writes the header anew after all earlier events; first, for
    # whoever answers in the network's place does so at this event too.
    inner.get_component("event_emitter").register_first("before-send", _say_who)
    inner.register_component("data_loader", _loader())
    if keys is not None:
        inner.register_component("credential_provider", _Given(keys))
    return boto3.Session(region_name=region, botocore_session=inner)


def _say_who(request: AWSPreparedRequest, **_: Any) -> None:
    work = correlation_id()
    agent = f"drportal/{work}" if work else "drportal"
    said: Any = request.headers.get("User-Agent", "")
    if isinstance(said, bytes):  # botocore encodes a call's headers before it sends them
        said = said.decode()
    request.headers["User-Agent"] = f"{said} {agent}".strip()
