"""How facts of the inventory are shown: what is not known is null."""

from datetime import timedelta
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


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
