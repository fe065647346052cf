"""Calls to the simulated DRS through boto3, each kept with its raw answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

HUB = "123456789012"
TARGET = "222222222222"
STAGING = "333333333333"
HOME = "us-east-1"  # where servers are recovered
AWAY = "us-west-2"  # where EC2 servers come from

VOLATILE_HEADERS = {"date", "server", "x-amzn-requestid", "connection", "content-length"}


@dataclass
class Answer:
    """One answer as it came over the wire, and as boto3 read it."""

    operation: str
    account: str
    region: str
    params: dict[str, Any]
    status: int
    headers: dict[str, str]
    body: bytes
    result: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    raised: ClientError | None = None

    @property
    def comparable(self) -> dict[str, Any]:
        """All but what differs between two runs by its nature."""
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in VOLATILE_HEADERS
        }
        return {
            "operation": self.operation,
            "account": self.account,
            "region": self.region,
            "params": self.params,
            "status": self.status,
            "type": headers.get("x-amzn-ErrorType"),
            "retry": headers.get("Retry-After"),
            "result": self.result,
            "error": self.error,
        }


def client(account: str, region: str, endpoint: str | None = None, **config: Any) -> Any:
    """A DRS client of the account, without retries; other accounts than the hub by their role."""
    return _session().client(
        "drs",
        region_name=region,
        endpoint_url=endpoint,
        config=Config(retries={"total_max_attempts": 1}, **config),
        **_keys(account, endpoint),
    )


@cache
def _session() -> Any:
    # Every new one reads the service models again.
    return boto3.Session()


def _keys(account: str, endpoint: str | None) -> dict[str, str]:
    if account == HUB:
        return {}
    sts = _session().client("sts", region_name=HOME, endpoint_url=endpoint)
    role = f"arn:aws:iam::{account}:role/portal"
    keys = sts.assume_role(RoleArn=role, RoleSessionName="fidelity")["Credentials"]
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


class Player:
    """Calls operations by their AWS names and keeps every answer."""

    def __init__(self, clients: Callable[[str, str], Any]) -> None:
        self._make = clients
        self._clients: dict[tuple[str, str], Any] = {}
        self._raw: list[dict[str, Any]] = []
        self.answers: list[Answer] = []

    def client(self, account: str = HUB, region: str = HOME) -> Any:
        place = (account, region)
        if place not in self._clients:
            made = self._make(account, region)
            made.meta.events.register("response-received.drs", self._keep)
            self._clients[place] = made
        return self._clients[place]

    def call(
        self, operation: str, *, account: str = HUB, region: str = HOME, **params: Any
    ) -> dict[str, Any]:
        """The result; a refusal is an error of the test."""
        answer = self.attempt(operation, account=account, region=region, **params)
        if answer.raised is not None:
            raise answer.raised
        return answer.result

    def refused(
        self, operation: str, code: str, *, account: str = HUB, region: str = HOME, **params: Any
    ) -> Answer:
        """The refusal, which must have this code."""
        answer = self.attempt(operation, account=account, region=region, **params)
        assert answer.error == code, (operation, params, answer.error, answer.result)
        return answer

    def attempt(self, operation: str, *, account: str, region: str, **params: Any) -> Answer:
        made = self.client(account, region)
        self._raw.clear()
        raised = None
        try:
            result = getattr(made, xform_name(operation))(**params)
        except ClientError as error:
            raised, result = error, error.response
        raw = self._raw[-1]
        answer = Answer(
            operation,
            account,
            region,
            params,
            raw["status_code"],
            dict(raw["headers"]),
            raw["body"],
            {name: value for name, value in result.items() if name != "ResponseMetadata"},
            raised.response["Error"]["Code"] if raised else None,
            raised,
        )
        self.answers.append(answer)
        return answer

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        self._raw.append(response_dict)
