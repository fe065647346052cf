"""Bringing a configuration document in: whole or not at all, unless asked otherwise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from audit.services import record, record_failure
from drportal.actor import Actor
from drportal.errors import DomainError
from recovery.errors import LegacyAddsOnly
from recovery.models import ImportRun
from recovery.services.transfer import accounts, groups, plans, rest
from recovery.services.transfer.outcome import Fate, Mode, Outcome, Told, What
from recovery.services.transfer.part import Part, Standing
from recovery.services.transfer.reading import Taken, taken


class _Undo(Exception):
    """Leaves the transaction, so that nothing of what was done in it stays."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A part of the document, and the function that brings it in."""

    what: What
    name: str
    place: str
    bring_in: Callable[[Part], Fate]
    entry: Any = field(repr=False)


def import_document(
    document: Any, *, mode: Mode, dry_run: bool = False, keep_going: bool = False, actor: Actor
) -> ImportRun:
    """Bring in a document, ours or one of the reference system, and return the run that tells.

    With ADD_ONLY what is there already is left alone; with UPDATE it becomes what the document
    says. Nothing is ever deleted. If a part is refused nothing at all stays, unless `keep_going`.
    A dry run does the very same and then undoes it. Nothing is asked of AWS. Raises
    DocumentInvalid and LegacyAddsOnly; then nothing was tried.
    """
    read = taken(document)
    if read.legacy and mode is Mode.UPDATE:
        raise LegacyAddsOnly
    outcome = Outcome(mode, dry_run, keep_going, read.schema_version, warnings=list(read.warnings))
    run: ImportRun | None = None
    try:
        with transaction.atomic():
            _one_at_a_time()
            _bring_in(read, outcome, actor)
            if dry_run or not outcome.kept:
                raise _Undo
            run = _note(read, outcome, actor)
    except _Undo:
        with transaction.atomic():
            run = _note(read, outcome, actor)
    return run


def _one_at_a_time() -> None:
    """Two imports at once would each see half of the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('recovery.import', 0))")


def _bring_in(read: Taken, outcome: Outcome, actor: Actor) -> None:
    standing = Standing()
    for job in _jobs(read.document):
        add_only = outcome.mode is Mode.ADD_ONLY
        part = Part(job.entry, job.place, add_only, outcome, standing, actor)
        try:
            with transaction.atomic():
                fate = job.bring_in(part)
        except DomainError as error:
            standing.refused.add((job.what, job.name.lower()))
            outcome.add(Fate.FAILED, _refusal(job, error))
        else:
            reason = "ALREADY_EXISTS" if fate is Fate.SKIPPED else ""
            outcome.add(fate, Told(job.what, job.name, reason, part.why_skipped))


def _refusal(job: _Job, error: DomainError) -> Told:
    complaints = error.context.get("errors") or []
    code = complaints[0]["code"] if complaints else error.known_as or error.code
    told = "; ".join(f"{each['field']}: {each['message']}" for each in complaints) or error.detail
    return Told(job.what, job.name, str(code), told[:2000])


def _jobs(document: dict[str, Any]) -> Iterator[_Job]:
    for what, key, bring_in in (
        (What.ACCOUNT, "account_id", accounts.target_account),
        (What.STAGING_ACCOUNT, "account_id", accounts.staging_account),
    ):
        yield from _each(document, what, key, bring_in)
    if "launch_settings" in document:
        entry = document["launch_settings"]
        name = "installation"
        yield _Job(What.LAUNCH_SETTINGS, name, "launch_settings", groups.installation, entry)
    yield from _each(document, What.GROUP, "name", groups.group)
    yield from _each(document, What.PLAN, "name", plans.plan)
    if "tag_sync" in document:
        yield _Job(What.TAG_SYNC, "tag sync", "tag_sync", rest.tag_sync, document["tag_sync"])
    yield from _each(document, What.SCHEDULE, "name", rest.schedule)


def _each(
    document: dict[str, Any], what: What, key: str, bring_in: Callable[[Part], Fate]
) -> Iterator[_Job]:
    for index, entry in enumerate(document.get(what.value, [])):
        yield _Job(what, entry[key].strip(), f"{what.value}[{index}]", bring_in, entry)


def _note(read: Taken, outcome: Outcome, actor: Actor) -> ImportRun:
    told = outcome.as_dict()
    run = ImportRun.objects.create(
        mode=outcome.mode,
        dry_run=outcome.dry_run,
        succeeded=outcome.succeeded,
        requested_by=actor.name,
        document_digest=read.digest,
        outcome=told,
    )
    what = "tried" if outcome.dry_run else "imported"
    write = record if outcome.dry_run or outcome.kept else record_failure
    write(
        f"recovery.configuration.{what}",
        actor=actor,
        subject=run,
        mode=outcome.mode.value,
        keep_going=outcome.keep_going,
        digest=read.digest,
        summary=told["summary"],
    )
    return run
