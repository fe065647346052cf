"""What requests about the configuration document hold, and how imports are shown."""

from rest_framework import serializers

from drportal.api.serializers import Flag, StrictSerializer
from recovery.models import ImportRun
from recovery.services.transfer import Mode


class ImportIn(StrictSerializer):
    """A document, and how to bring it in. The names are the reference system's."""

    config = serializers.JSONField(help_text="The document: an object, or text in JSON or YAML.")
    dryRun = Flag(default=False, help_text="Undo it at the end, and tell what it would have done.")  # noqa: N815
    mode = serializers.ChoiceField(
        choices=[(mode.value, mode.value) for mode in Mode],
        default=Mode.ADD_ONLY.value,
        help_text="ADD_ONLY leaves alone what is there; UPDATE makes it what the document says.",
    )
    keepGoing = Flag(  # noqa: N815  # as above
        default=False, help_text="Keep the rest when a part is refused."
    )


class PartOut(serializers.Serializer[object]):
    """One part of a document, and why it was left alone or refused."""

    kind = serializers.CharField()
    name = serializers.CharField()
    reason = serializers.CharField(required=False)
    message = serializers.CharField(required=False)


class NoteOut(serializers.Serializer[object]):
    """Something about one place of a document."""

    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class _Outcome(serializers.Serializer[object]):
    success = serializers.BooleanField(help_text="Whether nothing was refused.")
    kept = serializers.BooleanField(help_text="Whether the rest stays, were this no dry run.")
    mode = serializers.CharField()
    keep_going = serializers.BooleanField()
    schema_version = serializers.CharField()
    summary = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
    created = PartOut(many=True)
    updated = PartOut(many=True)
    skipped = PartOut(many=True)
    failed = PartOut(many=True)
    warnings = NoteOut(many=True)


class ImportOut(_Outcome):
    """What an import did, or would do."""

    id = serializers.UUIDField()
    dryRun = serializers.BooleanField()  # noqa: N815  # as above


class CheckedOut(serializers.Serializer[object]):
    """What is wrong with a document."""

    valid = serializers.BooleanField()
    errors = NoteOut(many=True)  # type: ignore[assignment]  # the name is the API's
    warnings = NoteOut(many=True)


class ImportRunOut(serializers.ModelSerializer[ImportRun]):
    """An import that was made, or a dry run."""

    outcome = _Outcome(read_only=True)

    class Meta:
        model = ImportRun
        fields = (
            "id",
            "mode",
            "dry_run",
            "succeeded",
            "requested_by",
            "created_at",
            "document_digest",
            "outcome",
        )
        read_only_fields = fields
