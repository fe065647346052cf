"""Examples in the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

_DATABASES = "5b0d3c9e-6d0a-4a55-9d3e-0f3b9f6d1a01"
_WEB = "5b0d3c9e-6d0a-4a55-9d3e-0f3b9f6d1a02"
_PLAN = "7f4c2a10-12d8-4b1b-8a53-5f2f7c1e9b11"

PLAN = OpenApiExample(
    "Two waves, the second behind a gate",
    value={
        "name": "Web shop",
        "owner": "Shop team",
        "rto_minutes": 240,
        "rpo_minutes": 15,
        "notification_addresses": ["shop@example.com"],
        "tags": {"dr:priority": "high"},
        "waves": [
            {
                "name": "Databases",
                "group_ids": [_DATABASES],
                "group_servers": [
                    {"group_id": _DATABASES, "optional_server_ids": ["s-1111111111111111a"]}
                ],
                "success_threshold": 75,
                "time_limit_minutes": 90,
            },
            {
                "name": "Web servers",
                "group_ids": [_WEB],
                "depends_on": [1],
                "gate": True,
                "gate_instructions": "Check that the databases answer.",
                "wait_minutes": 10,
            },
        ],
    },
    request_only=True,
)
DRILL = OpenApiExample(
    "A drill",
    value={"plan_id": _PLAN, "kind": "DRILL", "reason": "Quarterly drill"},
    request_only=True,
)
DRILL_OF_PLAN = OpenApiExample(
    "A drill",
    value={"kind": "DRILL", "reason": "Quarterly drill"},
    request_only=True,
)
RECOVERY = OpenApiExample(
    "A real recovery",
    value={
        "plan_id": _PLAN,
        "kind": "RECOVERY",
        "confirmation": "Web shop",
        "reason": "us-east-1 is down",
    },
    request_only=True,
)
RESUME = OpenApiExample(
    "Open one gate",
    value={"position": 2, "comment": "The databases answer."},
    request_only=True,
)
RETRY = OpenApiExample(
    "Try the failed servers of a wave again",
    value={"position": 1, "reason": "The instance type has room in the zone again."},
    request_only=True,
)
SKIP = OpenApiExample(
    "Leave one server out",
    value={"position": 2, "server_ids": ["s-0123456789abcdef0"], "reason": "It is retired."},
    request_only=True,
)
EXTEND = OpenApiExample(
    "Half an hour more",
    value={"position": 1, "minutes": 30, "reason": "The snapshots are large."},
    request_only=True,
)
