"""The configuration as one document: out, in, and what is wrong with one."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import NewestFirst
from drportal.errors import InvalidInput
from recovery import configuration
from recovery.api.transfer_serializers import CheckedOut, ImportIn, ImportOut, ImportRunOut
from recovery.documents import text
from recovery.models import ImportRun
from recovery.permissions import ConfigurationPermission
from recovery.services import transfer

# By these, a body that is the document itself is told from one that holds it.
_OF_A_DOCUMENT = {"schema_version", "metadata", "protectionGroups", "recoveryPlans"}


class YamlRenderer(BaseRenderer):
    """A document as YAML."""

    media_type = "application/yaml"
    format = "yaml"
    charset = "utf-8"

    def render(self, data: Any, *_: Any, **__: Any) -> str:
        return text.written(data, text.Format.YAML)


class ConfigurationViewSet(RecordedViewSet):
    """The configuration as one document."""

    needs = {
        "export": Needs.everywhere(ConfigurationPermission.EXPORT),
        "bring_in": Needs.everywhere(ConfigurationPermission.IMPORT),
        "validate_manifest": Needs.everywhere(ConfigurationPermission.IMPORT),
    }
    lists = frozenset()
    reads = frozenset({"validate_manifest"})
    serializer_class = ImportOut

    def seen(self) -> QuerySet[Any]:
        return ImportRun.objects.none()

    @extend_schema(
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "application/yaml"): OpenApiTypes.STR,
        }
    )
    @action(detail=False, filter_backends=(), renderer_classes=[JSONRenderer, YamlRenderer])
    def export(self, _: Request) -> Response:
        """Everything that is configured, without secrets: JSON, or YAML for `Accept:
        application/yaml`.

        The document is of schema 2.0, that of docs/reference/configuration.schema.json. It names
        accounts, staging accounts, launch settings and schedules too, which the reference system's
        leaves out, and the same configuration always gives the same document.
        """
        return Response(configuration.document())

    @extend_schema(request=ImportIn, responses=ImportOut)
    @action(detail=False, methods=["post"], url_path="import", filter_backends=())
    def bring_in(self, request: Request) -> Response:
        """Bring in a document of ours (schema 2.0) or of the reference system (1.0, 1.1, or none).

        `config` is the document, as an object or as JSON or YAML in a string; or the body is the
        document itself. All of it is kept or nothing, unless `keepGoing`. A dry run does the same
        and undoes it, and answers alike. Documents of the reference system only add.
        """
        given = self._given(request)
        run = transfer.import_document(
            given["config"],
            mode=transfer.Mode(given["mode"]),
            dry_run=given["dryRun"],
            keep_going=given["keepGoing"],
            actor=self.actor,
        )
        return Response({"id": run.pk, "dryRun": run.dry_run, **run.outcome})

    @extend_schema(request=ImportIn, responses=CheckedOut)
    @action(detail=False, methods=["post"], url_path="validate-manifest", filter_backends=())
    def validate_manifest(self, request: Request) -> Response:
        """What is wrong with a document, as far as it can be told from the document alone."""
        given = self._given(request)
        try:
            read = transfer.taken(given["config"])
        except transfer.DocumentInvalid as error:
            return Response({"valid": False, "errors": error.errors, "warnings": []})
        return Response({"valid": True, "errors": [], "warnings": read.warnings})

    def _given(self, request: Request) -> dict[str, Any]:
        body: Any = request.data
        if isinstance(body, dict) and _OF_A_DOCUMENT & body.keys():
            body = {"config": body}
        taking = ImportIn(data=body)
        taking.is_valid(raise_exception=True)
        given: dict[str, Any] = taking.validated_data
        config = given["config"]
        if isinstance(config, str):
            given["config"] = text.read(config)
        elif not isinstance(config, dict):
            message = "A document is an object, or JSON or YAML in a string."
            raise InvalidInput.field("config", "invalid", message)
        return given


class ImportRunViewSet(RecordedViewSet):
    """Imports that were made, and dry runs."""

    needs = {
        "list": Needs.everywhere(ConfigurationPermission.VIEW_IMPORTS),
        "retrieve": Needs.everywhere(ConfigurationPermission.VIEW_IMPORTS),
    }
    serializer_class = ImportRunOut
    pagination_class = NewestFirst

    def seen(self) -> QuerySet[Any]:
        return ImportRun.objects.all()

    def list(self, _: Request) -> Response:
        """The imports and dry runs, newest first."""
        return self.paged(self.seen(), ImportRunOut)

    def retrieve(self, _: Request, **__: str) -> Response:
        """One import or dry run: what became of each part of the document."""
        return Response(ImportRunOut(self.the_object()).data)
