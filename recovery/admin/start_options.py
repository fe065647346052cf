"""What is chosen before a start, as a form and as the query of the pages that go by it.

A choice is in the address of a page, so it can be sent to a colleague, and nothing remembers it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django import forms
from django.http import QueryDict

from drportal.adminkit.forms import PortalForm
from recovery.engine.options import POINT_ID, StartOptions
from recovery.models import RecoveryPlan
from recovery.selectors import servers_by_group, with_waves
from recovery.services.starting import Resolved, members_of

_LONGEST: Final = 250_000
_TIME: Final = "%Y-%m-%d %H:%M:%S"


class OptionsForm(PortalForm):
    """Which part of a plan, and from which recovery points. All left empty is all of it."""

    from_wave = forms.IntegerField(
        label="From wave",
        min_value=1,
        required=False,
        help_text="Waves with lower positions are left out, and count as ended well.",
    )
    waves = forms.TypedMultipleChoiceField(
        label="Only these waves",
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    server_ids = forms.MultipleChoiceField(
        label="Only these servers",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    not_after = forms.DateTimeField(
        label="Recovery points not after (UTC)",
        required=False,
        help_text="YYYY-MM-DD HH:MM. The newest point of each server that was taken by then. A "
        "server without one is never launched from the latest instead.",
    )
    points = forms.CharField(
        label="Chosen recovery points",
        required=False,
        max_length=_LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One line for each: the server's id and the point's, as in s-… pit-…",
    )
    ticket = forms.CharField(label="Ticket", required=False, max_length=200)

    def __init__(self, plan: RecoveryPlan, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        waves = list(with_waves(RecoveryPlan.objects.filter(pk=plan.pk)).get().waves.all())
        held = servers_by_group(entry.group_id for wave in waves for entry in wave.entries.all())
        fields: Any = self.fields
        fields["waves"].choices = [
            (wave.position, f"{wave.position} {wave.name}") for wave in waves
        ]
        fields["server_ids"].choices = [
            (server.server_id, f"{wave.position}: {server.name} ({server.server_id})")
            for wave in waves
            for _, server in members_of(list(wave.entries.all()), held)
        ]

    def clean_not_after(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["not_after"]
        return at.replace(tzinfo=UTC) if at else None

    def clean_points(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self.cleaned_data["points"].split("\n"):
            words = line.split()
            if not words:
                continue
            if len(words) != 2 or not POINT_ID.fullmatch(words[1]):  # noqa: PLR2004  # a pair
                raise forms.ValidationError(f"This is no server and recovery point: {line[:60]}")
            if words[0] in found:
                raise forms.ValidationError(f"{words[0]} is named twice.")
            found[words[0]] = words[1]
        return found

    def options(self) -> StartOptions:
        """What was chosen, of a valid form."""
        said = self.cleaned_data
        return StartOptions(
            from_wave=said["from_wave"] or 1,
            waves=frozenset(said["waves"]),
            server_ids=frozenset(said["server_ids"]),
            points=said["points"],
            not_after=said["not_after"],
            ticket=said["ticket"],
        )


@dataclass(frozen=True, slots=True)
class PartLine:
    """A wave, and how much of it would be launched."""

    title: str
    after: str
    launched: int
    left_out: int
    names: Sequence[str]


def part(resolved: Iterable[Resolved]) -> list[PartLine]:
    """What would be launched of each wave, and how much would not."""
    return [
        PartLine(
            title=f"{entry.wave.position} {entry.wave.name}",
            after=", ".join(map(str, sorted(entry.needs))),
            launched=len(entry.servers),
            left_out=len(entry.others),
            names=[server.name for _, server in entry.servers],
        )
        for entry in resolved
    ]


def query_of(options: StartOptions) -> str:
    """The query that asks for these options; empty for the whole plan without a ticket."""
    query = QueryDict(mutable=True)
    told = options.as_dict()
    if "from_wave" in told:
        query["from_wave"] = str(options.from_wave)
    query.setlist("waves", list(map(str, told.get("waves", ()))))
    query.setlist("server_ids", told.get("server_ids", []))
    if options.not_after is not None:
        query["not_after"] = options.not_after.astimezone(UTC).strftime(_TIME)
    if options.points:
        query["points"] = "\n".join(f"{server} {at}" for server, at in told["points"].items())
    if options.ticket:
        query["ticket"] = options.ticket
    return query.urlencode()


def has_options(query: QueryDict) -> bool:
    """Whether a page was asked for with a choice."""
    return any(query.get(name) for name in OptionsForm.base_fields)


def with_query(link: str, options: StartOptions) -> str:
    """A link to a page that goes by these options."""
    query = query_of(options)
    return f"{link}?{query}" if query else link
