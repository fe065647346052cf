"""The inventory sync of 4,000 servers in 14 accounts and 3 Regions, against a loop that only lists.

Measured in a process of its own (`_syncing`), whose peak memory is told. No server comes from EC2,
so EC2 is not asked: how it is asked, in batches of 100 and once an hour, is for the tests.

The loop pages through DescribeSourceServers with the clients and the concurrency of the sync.
Each sync stands between two loops, and the ratio is that of the mean sync to the mean loop, so
that what else the machine does falls on both. `ok` says whether all targets are kept.
"""

import json
import os
import subprocess
import sys
from typing import Any

from drportal.embedded.stack import Stack
from drportal.simulator.control import Control

SERVERS = 4000
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
HUB = "100000000001"
ACCOUNTS = tuple(f"1000000000{n:02}" for n in range(1, 15))
EXTERNAL_ID = "a-shared-word"


def measure(stack: Stack, arguments: list[str]) -> dict[str, Any]:
    if stack.aws is None:
        raise SystemExit("This measures the simulated AWS only: leave AWS_ENDPOINT_URL unset.")
    Control(stack.aws.url).load(scenario())
    environment = dict(os.environ) | stack.environment | {"DRS_REGIONS": ",".join(REGIONS)}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input"],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    told = subprocess.run(
        [sys.executable, "-m", "tests.performance._syncing", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return figures


def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/DRSOrchestrationRole"


def scenario() -> dict[str, Any]:
    """The servers, spread evenly."""
    places = [(account, region) for account in ACCOUNTS for region in REGIONS]
    return {
        "hub": HUB,
        "accounts": [{"id": each, "initialized": list(REGIONS)} for each in ACCOUNTS],
        "roles": [
            {"arn": role(each), "trust": [HUB], "externalId": EXTERNAL_ID}
            for each in ACCOUNTS
            if each != HUB
        ],
        "servers": [_server(number, *places[number % len(places)]) for number in range(SERVERS)],
    }


def _server(number: int, account: str, region: str) -> dict[str, Any]:
    return {
        "account": account,
        "region": region,
        "hostname": f"server-{number:04}",
        "os": "Ubuntu 22.04.4 LTS",
        "tags": {"Name": f"server-{number:04}", "Application": f"app {number % 40}"},
        "disks": [{"device": "/dev/xvda", "GiB": 30}, {"device": "/dev/xvdb", "GiB": 100}],
    }
