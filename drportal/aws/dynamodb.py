"""DynamoDB in the hub account: the tables that the mirror writes."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.config import Config
from django.conf import settings

from drportal.aws.boto import session
from drportal.aws.errors import AwsError, Call, Failure
from drportal.aws.scope import Account, Scope
from drportal.aws.session import Use, client, listed, readable, translated

Item = dict[str, Any]

BATCH: Final = 25  # requests that one BatchWriteItem takes (botocore model)
TTL_ATTRIBUTE: Final = "TTL"  # epoch seconds; DynamoDB removes the item some time after
_NUMBERS_END = 10**38  # DynamoDB keeps 38 digits (DynamoDB guide)
_POLL_SECONDS = 0.5

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()
_hub_ids: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index: items are found by `key`, and sorted by `sort` where there is one.

    Items without these attributes are not in it.
    """

    name: str
    key: str
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose items are found by one string attribute, `key`."""

    name: str
    key: str
    indexes: tuple[Index, ...] = ()
    expires: bool = False  # whether DynamoDB is to remove items by `TTL_ATTRIBUTE`


class DynamoTables:
    """The tables of the hub account in one Region. Every method raises AwsError.

    Items are plain Python: strings, whole numbers, booleans, None, bytes, lists and dicts. Numbers
    that are not whole, or too long for DynamoDB, are kept as text.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @classmethod
    def of_hub(cls, region: str) -> "DynamoTables":
        """Those of the account that the portal's own credentials belong to, as STS says."""
        tables = cls(Scope(Account(_hub_id(region)), region))
        try:
            client("dynamodb", Use.READ, tables._scope)
        except AwsError as error:
            if error.failure is not Failure.CREDENTIALS:
                raise
            # The credentials are another account's by now.
            forget_hub()
            tables = cls(Scope(Account(_hub_id(region)), region))
        return tables

    def status(self, name: str) -> str | None:
        """What DynamoDB says of the table (such as ACTIVE), or None if there is none."""
        described = self._described(name)
        return None if described is None else str(described["TableStatus"])

    def key_of(self, name: str) -> list[str]:
        """The attributes of the table's key. Empty if there is no such table."""
        described = self._described(name)
        return [part["AttributeName"] for part in described["KeySchema"]] if described else []

    def create(self, table: Table) -> None:
        """Ask for the table, paid per request. One that exists, or is being made, is left alone."""
        try:
            with translated("CreateTable", self._scope):
                self._writes().create_table(**_definition(table))
        except AwsError as error:
            if error.failure is not Failure.CONFLICT:
                raise

    def wait_until_active(self, name: str, *, within: float) -> None:
        """Return when the table is ACTIVE. Raises AwsError after `within` seconds."""
        deadline = time.monotonic() + within
        while (status := self.status(name)) != "ACTIVE":
            if time.monotonic() >= deadline:
                call = Call("DescribeTable", self._scope.account_id, self._scope.region)
                message = f"table {name} is {status or 'missing'} after {within:g} s"
                raise AwsError(Failure.TIMED_OUT, message, call=call)
            time.sleep(_POLL_SECONDS)

    def protect(self, table: Table) -> None:
        """Switch on point-in-time recovery, and expiry where the table wants it."""
        with translated("DescribeContinuousBackups", self._scope):
            backups = self._reads().describe_continuous_backups(TableName=table.name)
        recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
            with translated("UpdateContinuousBackups", self._scope):
                self._writes().update_continuous_backups(
                    TableName=table.name,
                    PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
                )
        if table.expires:
            self._expire(table.name)

    def put_newer(self, table: Table, item: Item, *, version: str) -> int | None:
        """Put `item` unless the table holds one with a higher number in the attribute `version`.

        Returns None when it is there, else the higher number that the table holds. Putting the
        same version again succeeds, so that a call whose answer was lost may be repeated.
        """
        with translated("PutItem", self._scope):
            dynamodb = self._writes()
            try:
                dynamodb.put_item(
                    TableName=table.name,
                    Item=_serialized(item),
                    ConditionExpression="attribute_not_exists(#version) OR #version <= :version",
                    ExpressionAttributeNames={"#version": version},
                    ExpressionAttributeValues={":version": {"N": str(item[version])}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except dynamodb.exceptions.ConditionalCheckFailedException as error:
                # An item without a number there is nobody's version: no version can beat it.
                return int(error.response["Item"][version].get("N", 0))
        return None

    def hold(self, table: Table, key: str, *, holder: str, at: str, wrest: bool) -> Item | None:
        """Note in the item `key` that `holder` holds something, and was heard of `at` that time.

        Returns None if that is so now, else the item of whoever holds it. To `wrest` is to take it
        from whoever that is. Repeating the call does no harm.
        """
        mine = {"ConditionExpression": "attribute_not_exists(#holder) OR #holder = :holder"}
        with translated("UpdateItem", self._scope):
            dynamodb = self._writes()
            try:
                dynamodb.update_item(
                    TableName=table.name,
                    Key={table.key: {"S": key}},
                    UpdateExpression="SET #holder = :holder, heardAt = :at",
                    ExpressionAttributeNames={"#holder": "holder"},
                    ExpressionAttributeValues={":holder": {"S": holder}, ":at": {"S": at}},
                    **({} if wrest else mine),
                )
            except dynamodb.exceptions.ConditionalCheckFailedException:
                held = True
            else:
                held = False
        return self.item(table, key) or {} if held else None

    def write_batch(
        self, table: Table, puts: Sequence[Item], deletes: Sequence[str]
    ) -> frozenset[str]:
        """Put items and delete by key, at most `BATCH` together, each key once, in no order.

        Returns the keys that DynamoDB left undone: it may be busy with part of a batch.
        """
        requests = [{"PutRequest": {"Item": _serialized(item)}} for item in puts]
        requests += [{"DeleteRequest": {"Key": {table.key: {"S": key}}}} for key in deletes]
        with translated("BatchWriteItem", self._scope):
            answer = self._writes().batch_write_item(RequestItems={table.name: requests})
        with readable("BatchWriteItem", self._scope):
            undone = answer["UnprocessedItems"].get(table.name, [])
            return frozenset(_key_of_request(request, table.key) for request in undone)

    def item(self, table: Table, key: str) -> Item | None:
        """The item with this key as it is now, or None."""
        with translated("GetItem", self._scope):
            answer = self._reads().get_item(
                TableName=table.name, Key={table.key: {"S": key}}, ConsistentRead=True
            )
        return _deserialized(answer["Item"]) if "Item" in answer else None

    def items(self, table: Table) -> Iterator[Item]:
        """Every item of the table, page by page, each as it was when its page was read."""
        found = listed(
            self._reads(),
            "scan",
            "Items",
            operation="Scan",
            scope=self._scope,
            TableName=table.name,
            ConsistentRead=True,
        )
        return map(_deserialized, found)

    def _described(self, name: str) -> dict[str, Any] | None:
        try:
            with translated("DescribeTable", self._scope):
                found: dict[str, Any] = self._reads().describe_table(TableName=name)["Table"]
        except AwsError as error:
            if error.failure is Failure.NOT_FOUND:
                return None
            raise
        return found

    def _expire(self, name: str) -> None:
        with translated("DescribeTimeToLive", self._scope):
            described = self._reads().describe_time_to_live(TableName=name)
        if described["TimeToLiveDescription"]["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}:
            return
        with translated("UpdateTimeToLive", self._scope):
            self._writes().update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
            )

    def _reads(self) -> Any:
        return client("dynamodb", Use.READ, self._scope)

    def _writes(self) -> Any:
        # Every write here may be repeated: a put has its version, a delete is a delete.
        return client("dynamodb", Use.WRITE, self._scope)


def as_stored(item: Item) -> Item:
    """The item as it would be read back."""
    return _deserialized(_serialized(item))


def stored_size(item: Item) -> int:
    """About how many bytes DynamoDB counts for the item; never fewer (DynamoDB guide)."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Mapping):
        return 3 + sum(1 + len(str(k).encode()) + _size(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return 3 + sum(1 + _size(held) for held in value)
    return 1 if value is None or isinstance(value, bool) else len(str(value)) + 1


def _hub_id(region: str) -> str:
    key = settings.AWS_ENDPOINT_URL or ""
    if key not in _hub_ids:
        config = Config(
            connect_timeout=5,
            read_timeout=settings.AWS_READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 3},
        )
        with translated("GetCallerIdentity", Scope(Account("hub"), region)):
            sts = session(region=region).client("sts", config=config, endpoint_url=key or None)
            _hub_ids[key] = sts.get_caller_identity()["Account"]
    return _hub_ids[key]


def forget_hub() -> None:
    """Ask STS again whose account the hub is: for a test, or after a change of the environment."""
    _hub_ids.clear()


def _definition(table: Table) -> dict[str, Any]:
    keys = {table.key} | {name for i in table.indexes for name in (i.key, i.sort) if name}
    definition: dict[str, Any] = {
        "TableName": table.name,
        "KeySchema": [{"AttributeName": table.key, "KeyType": "HASH"}],
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in sorted(keys)
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if table.indexes:
        definition["GlobalSecondaryIndexes"] = [_index(index) for index in table.indexes]
    return definition


def _index(index: Index) -> dict[str, Any]:
    schema = [{"AttributeName": index.key, "KeyType": "HASH"}]
    if index.sort:
        schema.append({"AttributeName": index.sort, "KeyType": "RANGE"})
    return {"IndexName": index.name, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}


def _key_of_request(request: dict[str, Any], key: str) -> str:
    if "PutRequest" in request:
        return str(request["PutRequest"]["Item"][key]["S"])
    return str(request["DeleteRequest"]["Key"][key]["S"])


def _serialized(item: Item) -> dict[str, Any]:
    return {name: _serializer.serialize(_storable(value)) for name, value in item.items()}


def _storable(value: Any) -> Any:
    if isinstance(value, bool | str | bytes) or value is None:
        return value
    if isinstance(value, int) and abs(value) < _NUMBERS_END:
        return value
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _storable(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(held) for held in value]
    raise TypeError(f"DynamoDB holds no {type(value).__name__}")


def _deserialized(attributes: Mapping[str, Any]) -> Item:
    return {name: _plain(_deserializer.deserialize(value)) for name, value in attributes.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Binary):
        return bytes(value)  # type: ignore[call-overload]  # the stubs leave out its __bytes__
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_plain(held) for held in value]
    return value


__all__ = [
    "BATCH",
    "TTL_ATTRIBUTE",
    "DynamoTables",
    "Index",
    "Item",
    "Table",
    "as_stored",
    "stored_size",
]
