"""The checks of a preflight. Facts go in, verdicts come out; what is not known is UNKNOWN."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from recovery.engine import preflight_places as places
from recovery.engine.options import Wish
from recovery.engine.preflight import Check
from recovery.engine.preflight_facts import NOT_KNOWN, Facts, ServerFacts
from recovery.engine.wording import counted, lasting, named
from recovery.states import CheckOutcome

# Without an RPO: a point older than this is not what anybody expects of DRS.
_OLD_POINT: Final = timedelta(hours=24)

PASSED, WARNING = CheckOutcome.PASSED, CheckOutcome.WARNING
FAILED, UNKNOWN = CheckOutcome.FAILED, CheckOutcome.UNKNOWN

Found = tuple[CheckOutcome, str]  # of one server: an outcome, and why

_SYNC: Final = "Run the inventory sync, and see under Target accounts whether the Region answers."


def checks_of(facts: Facts) -> list[Check]:
    """Everything that the checks find, in no order that matters."""
    return [check for rule in _RULES for check in rule(facts)]


def checks_of_wave(facts: Facts) -> list[Check]:
    """What the checks find that make sense for one wave, right before it launches."""
    return [check for rule in _BEFORE_A_WAVE for check in rule(facts)]


def _servers(facts: Facts) -> Iterator[Check]:
    for wave, sentence in facts.wrong:
        remedy = "Edit the plan or the group, or choose otherwise."
        yield Check("servers", FAILED, sentence, remedy, wave=wave or None)
    if not facts.servers and not facts.wrong:
        yield Check("servers", FAILED, "The plan launches no server.", "Edit the plan.")
    elif not facts.wrong:
        total = counted(len(facts.servers), "server")
        yield Check("servers", PASSED, f"Each wave launches servers: {total} in all.")


def _replication(facts: Facts) -> Iterator[Check]:
    outcomes = {"READY": PASSED, "LAGGING": WARNING, "NOT_READY": FAILED}

    def judge(server: ServerFacts) -> Found:
        return outcomes.get(server.readiness, UNKNOWN), server.reason

    remedies = {
        WARNING: "DRS launches the last consistent point. See the server's replication in DRS.",
        FAILED: "Mend the replication in DRS, or take the server out of the plan.",
        UNKNOWN: _SYNC,
    }
    yield from _each(facts, "replication", judge, good="replicating", remedies=remedies)


def _lag(facts: Facts) -> Iterator[Check]:
    rpo = facts.rpo
    if rpo is None:
        said = "The plan has no recovery point objective, so no lag can be called too long."
        yield Check("lag", WARNING, said, "Give the plan an RPO.")
        return

    def judge(server: ServerFacts) -> Found:
        if server.readiness == "UNKNOWN" or server.lag is None:
            return UNKNOWN, "how far it is behind is not known"
        if server.lag > rpo:
            # A disaster makes every lag too long. It must be seen, and must not block.
            return WARNING, f"{lasting(server.lag)} behind, which is more than {lasting(rpo)}"
        return PASSED, ""

    remedies = {
        WARNING: "What was written since then would be lost. See the replication in DRS.",
        UNKNOWN: _SYNC,
    }
    yield from _each(facts, "lag", judge, good=f"within {lasting(rpo)}", remedies=remedies)


def _recovery_point(facts: Facts) -> Iterator[Check]:
    oldest = facts.rpo or _OLD_POINT

    def judge(server: ServerFacts) -> Found:
        told = facts.places[server.place].points.get(server.server_id)
        if told is None or told.problem:
            return UNKNOWN, told.problem if told else "not asked"
        if told.value is None:
            return FAILED, _no_point(server.wish)
        age = max(facts.now - told.value.at, timedelta(0))
        if age > oldest:
            which = "chosen" if server.wish else "latest"
            return WARNING, f"its {which} recovery point is {lasting(age)} old"
        return PASSED, ""

    remedies = {
        WARNING: "Where none is chosen, DRS takes another at the launch if the source still runs.",
        FAILED: "DRS refuses to launch without. Choose another point or time, or wait for one.",
        UNKNOWN: "Run the preflight again; see whether the account may be asked.",
    }
    good = f"with a recovery point of the last {lasting(oldest)}"
    yield from _each(facts, "recovery_point", judge, good=good, remedies=remedies, asked=True)


def _no_point(wish: Wish) -> str:
    if wish.snapshot_id:
        return f"DRS does not keep the chosen recovery point {wish.snapshot_id}"
    if wish.not_after is not None:
        until = wish.not_after.astimezone(UTC)
        return f"it has no recovery point at or before {until:%Y-%m-%d %H:%M:%S} UTC"
    return "it has no recovery point yet"


def _held(facts: Facts) -> Iterator[Check]:
    def judge(server: ServerFacts) -> Found:
        if server.held_by:
            return FAILED, f"held by {server.held_by}"
        jobs = facts.places[server.place].jobs
        if jobs.problem:
            return UNKNOWN, "which DRS jobs run there is not known"
        for job in jobs.value or ():
            if server.server_id in job.server_ids:
                return FAILED, f"in DRS job {job.job_id} ({job.kind.lower()})"
        return PASSED, ""

    remedies = {
        FAILED: "Wait until that has ended, or cancel it: DRS takes a server in one job at a time.",
        UNKNOWN: "Run the preflight again; see whether the account may be asked.",
    }
    yield from _each(facts, "held", judge, good="free", remedies=remedies, asked=True)


_SETTINGS: Final[Mapping[str, Found]] = {
    "not_configured": (WARNING, "nothing is set, so DRS launches it as it holds it"),
    "pending": (FAILED, "its launch settings were not applied"),
    "syncing": (UNKNOWN, "its launch settings are being applied"),
    "failed": (FAILED, "its launch settings could not be applied"),
    NOT_KNOWN: (UNKNOWN, "what is set for it is not known: it has left its group or the portal"),
}


def _launch_settings(facts: Facts) -> Iterator[Check]:
    def judge(server: ServerFacts) -> Found:
        if server.settings in _SETTINGS:
            outcome, why = _SETTINGS[server.settings]
            return outcome, f"{why} ({server.settings_message})" if server.settings_message else why
        # What was compared some time ago is not asked: here it is compared now.
        launch = facts.places[server.place].launches.get(server.server_id)
        if launch is None or launch.problem:
            return UNKNOWN, launch.problem if launch else "what DRS holds was not asked"
        if launch.differs:
            return FAILED, f"DRS or EC2 holds another {', '.join(launch.differs)}"
        return PASSED, ""

    remedies = {
        WARNING: "Set and apply launch settings, or accept what DRS holds.",
        FAILED: "Apply the launch settings on the group's page.",
        UNKNOWN: "Wait until they are applied, and run the preflight again.",
    }
    good = "with launch settings that hold"
    yield from _each(facts, "launch_settings", judge, good=good, remedies=remedies, asked=True)


def _launch_target(facts: Facts) -> Iterator[Check]:
    def judge(server: ServerFacts) -> Found:
        launch = facts.places[server.place].launches.get(server.server_id)
        if launch is None or launch.problem:
            return UNKNOWN, launch.problem if launch else "not asked"
        wrong = [each.message for each in launch.against if not each.unasked]
        if wrong:
            return FAILED, " ".join(wrong)
        unasked = [each.message for each in launch.against]
        return (UNKNOWN, " ".join(unasked)) if unasked else (PASSED, "")

    remedies = {
        FAILED: "Correct the launch settings and apply them, or the launch template in EC2.",
        UNKNOWN: "Run the preflight again; see whether the account may be asked.",
    }
    good = "with a network, instance type and profile that are there"
    yield from _each(facts, "launch_target", judge, good=good, remedies=remedies, asked=True)


def _each(
    facts: Facts,
    code: str,
    judge: Callable[[ServerFacts], Found],
    *,
    good: str,
    remedies: Mapping[CheckOutcome, str],
    asked: bool = False,
) -> Iterator[Check]:
    """One check for each outcome that servers of a wave have in a group; the good ones together.

    `asked` says that it rests on what AWS told now, not on what is kept.
    """
    parts: dict[tuple[int, str, str, str], list[ServerFacts]] = defaultdict(list)
    for server in facts.servers:
        parts[server.wave, server.group, *server.place].append(server)
    for (wave, group, account_id, region), servers in sorted(parts.items()):
        by_outcome: dict[CheckOutcome, list[tuple[ServerFacts, str]]] = defaultdict(list)
        for server in servers:
            outcome, why = judge(server)
            by_outcome[outcome].append((server, why))
        now = facts.places[account_id, region].at if asked else None
        for outcome, rows in by_outcome.items():
            yield Check(
                code,
                outcome,
                _said(outcome, rows, good),
                remedies.get(outcome, ""),
                wave,
                group,
                account_id,
                region,
                tuple(server.server_id for server, _ in rows),
                now or _oldest([server.listed_at for server, _ in rows]),
            )


def _said(outcome: CheckOutcome, rows: Sequence[tuple[ServerFacts, str]], good: str) -> str:
    if outcome == PASSED:
        return f"{counted(len(rows), 'server')} {good}."
    return f"{named([f'{server.name}: {why}' for server, why in rows])}."


def _oldest(times: Sequence[datetime | None]) -> datetime | None:
    """None if one of them is not known: then nobody knows how old the oldest is."""
    known = [at for at in times if at is not None]
    return min(known) if known and len(known) == len(times) else None


_RULES: tuple[Callable[[Facts], Iterator[Check]], ...] = (
    _servers,
    places.account,
    places.drs,
    places.permissions,
    _replication,
    _lag,
    _recovery_point,
    _held,
    places.quotas,
    _launch_settings,
    _launch_target,
    places.addresses,
    places.instances,
)
# That a wave has servers is the engine's business, and how old its data is, the lag tells: to ask
# for recovery points is a call for each server.
_BEFORE_A_WAVE: tuple[Callable[[Facts], Iterator[Check]], ...] = tuple(
    rule for rule in _RULES if rule not in {_servers, _recovery_point}
)
