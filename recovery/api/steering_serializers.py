"""What requests to steer an execution hold."""

from rest_framework import serializers

from drportal.api.serializers import Id, StrictSerializer, Text, Whole
from recovery.services.steering import MOST_MINUTES

LONGEST_TEXT = 1000
MOST_SERVERS = 5000  # more than any wave has; it bounds the request


class PauseIn(StrictSerializer):
    """Why an execution is paused."""

    reason = Text(max_length=LONGEST_TEXT, required=False, allow_blank=True)


class RetryIn(StrictSerializer):
    """Which servers are launched again, and why."""

    position = Whole(min_value=1, help_text="The wave, which must have ended.")
    server_ids = serializers.ListField(
        child=Text(max_length=19),
        required=False,
        min_length=1,
        max_length=MOST_SERVERS,
        help_text="Ids at DRS. Left out: all of the wave that failed or were skipped by DRS.",
    )
    reason = Text(max_length=LONGEST_TEXT, required=False, allow_blank=True)


class CheckAgainIn(StrictSerializer):
    """Which launched servers are checked again, and why."""

    position = Whole(min_value=1, help_text="The wave.")
    server_ids = serializers.ListField(
        child=Text(max_length=19),
        required=False,
        min_length=1,
        max_length=MOST_SERVERS,
        help_text="Ids at DRS. Left out: all of the wave that were launched and have not passed.",
    )
    reason = Text(max_length=LONGEST_TEXT, required=False, allow_blank=True)


class PassCheckIn(StrictSerializer):
    """Which check is taken as passed, and why."""

    check_id = Id(help_text="The id of the check, as the execution shows it.")
    reason = Text(max_length=LONGEST_TEXT)


class SkipIn(StrictSerializer):
    """What is left out, and why."""

    position = Whole(min_value=1, help_text="The wave, which must not have launched.")
    server_ids = serializers.ListField(
        child=Text(max_length=19),
        required=False,
        min_length=1,
        max_length=MOST_SERVERS,
        help_text="Ids at DRS. Left out: the whole wave.",
    )
    reason = Text(max_length=LONGEST_TEXT)


class ExtendIn(StrictSerializer):
    """How much more time a wave has, and why."""

    position = Whole(min_value=1, help_text="The wave, which must be launching.")
    minutes = Whole(min_value=1, max_value=MOST_MINUTES)
    reason = Text(max_length=LONGEST_TEXT)
