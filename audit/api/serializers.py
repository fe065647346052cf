from typing import Any

from rest_framework import serializers

from drportal.api.serializers import StrictSerializer, Text


class LogIn(StrictSerializer):
    """Who wants in."""

    username = Text(max_length=150)
    password = Text(max_length=4096, trim_whitespace=False, style={"input_type": "password"})


class Session(serializers.Serializer[Any]):
    """A session that has begun. Its cookie is in the answer's headers."""

    username = serializers.CharField()
    csrf_token = serializers.CharField(help_text="Writes send it in the header X-CSRFToken.")
    expires_at = serializers.DateTimeField()


class Person(serializers.Serializer[Any]):
    """The person who asks."""

    id = serializers.IntegerField()
    username = serializers.CharField()
    full_name = serializers.CharField()
    superuser = serializers.BooleanField(help_text="May do everything.")
    roles = serializers.ListField(child=serializers.CharField())
    permissions = serializers.ListField(
        child=serializers.CharField(),
        help_text="What they may do to every object of a kind. There may be more for one object.",
    )
