"""The configuration as one document: exporting it, and importing one after a dry run."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from typing_extensions import override

from drportal.access import Anybody, allowed
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import FileInput, Tone, age, badge
from drportal.errors import DomainError
from protection.admin.recorded import RecordedAdmin
from recovery import configuration
from recovery.documents import text
from recovery.models import ImportRun
from recovery.permissions import ConfigurationPermission
from recovery.services import transfer

_TYPES = {text.Format.JSON: "application/json", text.Format.YAML: "application/yaml"}
# What the browser sends back with the form: beyond it, the file has to be chosen again.
_LONGEST_SHOWN = 300_000
_FATES = (
    ("failed", "refused", "dr-bad"),
    ("created", "created", "dr-good"),
    ("updated", "updated", "dr-busy"),
    ("skipped", "left alone", "dr-plain"),
)


class ImportForm(PortalForm):
    """A document, as a file or as text, and how to bring it in."""

    file = forms.FileField(
        label="Document", required=False, help_text="JSON or YAML.", widget=FileInput
    )
    text = forms.CharField(
        label="or its text",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
    )
    mode = forms.ChoiceField(
        label="What is there already",
        choices=(
            (transfer.Mode.ADD_ONLY, "is left alone"),
            (transfer.Mode.UPDATE, "becomes what the document says"),
        ),
        initial=transfer.Mode.ADD_ONLY,
        widget=forms.RadioSelect,
    )
    keep_going = forms.BooleanField(
        label="Keep the rest if a part is refused; else nothing at all is kept", required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refused: DomainError | None = None

    def refuse(self, error: DomainError) -> None:
        # The complaints are about places in the document, not about fields of this form.
        self.refused = error
        self.add_error(None, error.detail)

    def document(self) -> Any:
        """What the file or the text says. Raises UnreadableDocument."""
        chosen = self.cleaned_data["file"]
        return text.read(chosen.read() if chosen else self.cleaned_data["text"])

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if not said.get("file") and not (said.get("text") or "").strip():
            self.add_error("text", "Choose a document, or paste its text.")
        return said


@admin.register(ImportRun, site=site)
class ImportRunAdmin(RecordedAdmin):
    """Imports of configuration, and dry runs of them."""

    icon, section, place = "swap_vert", "Administration", 94
    menu = "Export and import"
    can = frozenset({"add", "history"})
    page_template = "recovery/import_run.html"
    form_template = "recovery/import_form.html"
    list_before_template = "recovery/export_buttons.html"
    list_display = ("made", "sort", "result", "changes", "requested_by")
    list_display_links = ("made",)
    list_filter = ("dry_run", "succeeded")
    ordering = ("-created_at", "id")

    def visible_to(self, user: Anybody) -> QuerySet[ImportRun]:
        runs = ImportRun.objects.all()
        return runs if allowed(user, ConfigurationPermission.VIEW_IMPORTS) else runs.none()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return allowed(request.user, ConfigurationPermission.IMPORT)

    def has_export_permission(self, request: HttpRequest) -> bool:
        """May the person have the whole configuration?"""
        return allowed(request.user, ConfigurationPermission.EXPORT)

    def more_urls(self) -> list[URLPattern]:
        return [self.url("export/<str:form>/", self.export_view, "export")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        below = self.link("changelist")
        more = {
            "exports": [(form.upper(), f"{below}export/{form}/") for form in text.Format]
            if self.has_export_permission(request)
            else []
        }
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **more})
        return answer

    def export_view(self, request: HttpRequest, form: str) -> HttpResponse:
        """The configuration as a file."""
        if form not in list(text.Format):
            raise Http404("There is no such format.")
        if not self.has_export_permission(request):
            raise PermissionDenied
        wanted = text.Format(form)
        said = text.written(configuration.document(), wanted)
        answer = HttpResponse(said, content_type=f"{_TYPES[wanted]}; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="dr-portal-configuration.{form}"'
        return answer

    @admin.display(description="When", ordering="created_at")
    def made(self, run: ImportRun) -> str:
        return age(run.created_at)

    @admin.display(description="What", ordering="dry_run")
    def sort(self, run: ImportRun) -> str:
        return "dry run" if run.dry_run else "import"

    @admin.display(description="Result", ordering="succeeded")
    def result(self, run: ImportRun) -> str:
        return _result(run)

    @admin.display(description="Parts")
    def changes(self, run: ImportRun) -> str:
        counted = [(len(run.outcome.get(fate, [])), said) for fate, said, _ in _FATES]
        return ", ".join(f"{count} {said}" for count, said in counted if count) or "none"

    @override
    def page_context(self, request: HttpRequest, obj: ImportRun) -> dict[str, Any]:
        return {"badge": _result(obj), "fates": _told(obj), "warnings": _warnings(obj)}

    # Forms.

    def form_for(self, request: HttpRequest, obj: Any) -> ImportForm:  # noqa: ARG002  # nothing is edited
        if request.method == "POST":
            return ImportForm(request.POST, request.FILES)
        return ImportForm()

    def form_context(self, request: HttpRequest, form: ImportForm, obj: Any) -> dict[str, Any]:  # noqa: ARG002  # as above
        tried = self._tried(request, form) if request.POST.get("_again") else None
        if form.is_bound:
            _show_text(form)
        complaints = form.refused.context.get("errors", []) if form.refused else []
        shown = {"badge": _result(tried), "fates": _told(tried)} if tried else {}
        return {
            "tried": tried,
            "complaints": complaints,
            "warnings": _warnings(tried) if tried else [],
            **shown,
        }

    def _tried(self, request: HttpRequest, form: ImportForm) -> ImportRun | None:
        if not form.is_valid():
            return None
        try:
            return self._run(request, form, dry_run=True)
        except DomainError as error:
            self.refused(request, code=error.code, detail=error.detail)
            form.refuse(error)
            return None

    def save(self, request: HttpRequest, form: ImportForm, obj: Any) -> ImportRun:  # noqa: ARG002  # as above
        return self._run(request, form, dry_run=False)

    def _run(self, request: HttpRequest, form: ImportForm, *, dry_run: bool) -> ImportRun:
        said = form.cleaned_data
        return transfer.import_document(
            form.document(),
            mode=transfer.Mode(said["mode"]),
            keep_going=said["keep_going"],
            dry_run=dry_run,
            actor=self.actor(request),
        )


def _show_text(form: ImportForm) -> None:
    """Keep a chosen file's text in the form, for a browser does not send a file twice."""
    chosen: Any = form.files.get("file")
    if chosen is None or chosen.size > _LONGEST_SHOWN:
        return
    chosen.seek(0)
    shown: Any = form.data.copy()  # type: ignore[attr-defined]  # a QueryDict
    shown["text"] = chosen.read().decode("utf-8", "replace")
    form.data = shown


def _result(run: ImportRun) -> str:
    if run.dry_run:
        would = badge("It would be taken whole", Tone.PLAIN)
        return would if run.succeeded else badge("Parts would be refused", Tone.BAD)
    if run.succeeded:
        return badge("Imported", Tone.GOOD)
    if run.outcome.get("kept"):
        return badge("Imported in part", Tone.UNSURE)
    return badge("Refused, nothing kept", Tone.BAD)


def _told(run: ImportRun) -> Sequence[tuple[str, str, list[dict[str, str]]]]:
    """The parts by what became of them, in words that are true of this run."""
    stays = not run.dry_run and run.outcome.get("kept")
    would = "would be" if run.outcome.get("kept") else "would have been, had nothing been refused:"
    found = []
    for fate, said, tone in _FATES:
        if run.outcome.get(fate):
            changed = fate in {"created", "updated"}
            words = said if stays or not changed else f"{would} {said}"
            shown = tone if stays or not changed else "dr-plain"
            found.append((words[:1].upper() + words[1:], shown, run.outcome[fate]))
    return found


def _warnings(run: ImportRun) -> list[dict[str, str]]:
    found: list[dict[str, str]] = run.outcome.get("warnings", [])
    return found
