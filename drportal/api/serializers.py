"""Serializers and fields that take what was sent as it was sent, or refuse it, and fields that
show what is not known as null.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_ZONED = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class StrictSerializer(serializers.Serializer[Any]):
    """What a request may hold. A name that is not declared is refused, not passed over."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = data.keys() - self.fields.keys() if isinstance(data, Mapping) else set()
        errors: dict[str, Any] = {name: [_unknown(name)] for name in sorted(unknown)}
        try:
            taken = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                errors |= error.detail
            raise serializers.ValidationError(errors or error.detail) from error
        if errors:
            raise serializers.ValidationError(errors)
        return taken


class Text(serializers.CharField):
    """Text, trimmed at both ends. A number is not text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """true or false. "yes", 1 and "true" are neither."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    """A whole number. Text that looks like one is not."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """A time that says its zone: a recovery does not guess which midnight is meant."""

    default_error_messages = {"zone": "Say the time zone too, as in 2026-01-31T12:00:00Z."}

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not _ZONED.search(data):
            self.fail("zone")
        return super().to_internal_value(data)


class Id(serializers.UUIDField):
    """The id of one of the portal's objects."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not _UUID.fullmatch(data):
            self.fail("invalid", value=data)
        return UUID(data)


class Tags(serializers.DictField):
    """Pairs of a key and a value, both text, as they are: AWS does not trim them either."""

    child = Text(max_length=256, allow_blank=True, trim_whitespace=False)


class Known(serializers.CharField):
    """Text of a fact; null if AWS has not told it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_null": True, "read_only": True, **kwargs})

    def to_representation(self, value: Any) -> Any:
        return str(value) if value else None


@extend_schema_field(OpenApiTypes.DOUBLE)
class Seconds(serializers.Field[timedelta, Any, float, Any]):
    """A duration in seconds; null if it is not known."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_null": True, "read_only": True, **kwargs})

    def to_representation(self, value: timedelta) -> float:
        return value.total_seconds()


def _unknown(name: str) -> serializers.ErrorDetail:
    return serializers.ErrorDetail(f"There is no field {name[:100]!r}.", code="unknown_field")
