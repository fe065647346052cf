"""Examples in the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

_ACCOUNT = "0d7c8e2f-3a7b-4f0c-8d7e-2b1a9c5e4f01"
_WHERE = {"account": _ACCOUNT, "region": "us-east-1"}

ACCOUNT = OpenApiExample(
    "A target account with the default role",
    value={"account_id": "123456789012", "name": "Payroll"},
    request_only=True,
)
BY_TAGS = OpenApiExample(
    "By tags",
    value={"name": "Web servers", **_WHERE, "tags": {"Tier": "web"}},
    request_only=True,
)
ONE_BY_ONE = OpenApiExample(
    "One by one",
    value={
        "name": "Databases",
        **_WHERE,
        "server_ids": ["a3fd838a-94f6-45e4-b135-ba124e74232d"],
    },
    request_only=True,
)
PREVIEW = OpenApiExample("By tags", value={**_WHERE, "tags": {"Tier": "web"}}, request_only=True)
RESOLVE = OpenApiExample(
    "By account",
    value={"accountId": "123456789012", "region": "us-east-1", "tags": {"Tier": "web"}},
    request_only=True,
)
