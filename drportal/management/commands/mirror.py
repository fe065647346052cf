import json
from collections import Counter
from dataclasses import asdict
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from audit.services import record
from drportal.actor import PORTAL
from drportal.errors import DomainError
from drportal.mirror import services

_WHAT = ("verify", "repair", "drain", "resync", "restore", "take-over")


class Command(BaseCommand):
    help = (
        "verify: compares the database with DynamoDB and prints what differs (exit code 1 if "
        "anything does). repair: verifies and marks what differs to be sent again. "
        "drain: sends now what waits. resync: marks everything to be sent again. "
        "restore: fills an empty database from DynamoDB. "
        "take-over: makes the tables this portal's, whoever's they are."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=_WHAT)
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--confirm", action="store_true", help="take-over: yes, from the other portal"
        )
        parser.add_argument(
            "--take-over",
            action="store_true",
            help="restore: the tables are the lost portal's; make them this one's",
        )
        parser.add_argument(
            "--accept-losses",
            action="store_true",
            help="restore: leave out what does not fit together, and restore the rest",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what'].replace('-', '_')}")(options)
        except DomainError as error:
            raise CommandError(error.detail, returncode=2) from error

    def _verify(self, options: dict[str, Any]) -> None:
        found = services.verify()
        self._print_result(found, as_json=options["json"])
        if found.differences:
            raise CommandError(f"{len(found.differences)} differences")

    def _repair(self, options: dict[str, Any]) -> None:
        found = services.verify()
        self._print_result(found, as_json=options["json"])
        marked = services.repair(found.differences)
        if not options["json"]:
            self.stdout.write(f"{marked} marked to be sent again")

    def _drain(self, options: dict[str, Any]) -> None:
        done = services.drain()
        line = json.dumps(asdict(done))
        self.stdout.write(
            line if options["json"] else f"{done.sent} sent, {done.postponed} put off"
        )

    def _resync(self, options: dict[str, Any]) -> None:
        marked = services.resync()
        if options["json"]:
            self.stdout.write(json.dumps(marked))
            return
        for kind, count in marked.items():
            self.stdout.write(f"{kind}: {count} marked to be sent again")

    def _take_over(self, options: dict[str, Any]) -> None:
        if not options["confirm"]:
            raise CommandError(
                "Whatever other portal writes to these tables will be shut out. If that is "
                "wanted, repeat with --confirm."
            )
        with transaction.atomic():  # no record, no take-over
            record("mirror.take_over_asked", actor=PORTAL)
        services.take_over()
        self.stdout.write("The tables are this portal's now.")

    def _restore(self, options: dict[str, Any]) -> None:
        restored = services.restore(
            take_over=options["take_over"],
            accept_losses=options["accept_losses"],
            conclude=partial(_recorded, taken_over=options["take_over"]),
        )
        if not options["json"]:
            for kind, count in restored.items.items():
                self.stdout.write(f"{kind}: {count} items read")
            for said in restored.left_out:
                self.stdout.write(f"  left out: {said}")
        services.drain_all()
        self._verify(options)

    def _print_result(self, found: services.VerifyResult, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(found)))
            return
        totals = Counter((difference.kind, difference.what) for difference in found.differences)
        for kind, count in found.compared.items():
            kinds = ", ".join(f"{n} {w.lower()}" for (k, w), n in totals.items() if k == kind)
            self.stdout.write(f"{kind}: {count} objects, {kinds or 'no differences'}")
        for difference in found.differences:
            attributes = f" ({', '.join(difference.attributes)})" if difference.attributes else ""
            what = difference.what.lower().replace("_", " ")
            self.stdout.write(f"  {difference.kind} {difference.object_id}: {what}{attributes}")
        self.stdout.write(f"{found.behind} behind, {len(found.differences)} differences")


def _recorded(restored: services.Restored, *, taken_over: bool) -> None:
    record(
        "mirror.restored",
        actor=PORTAL,
        items=restored.items,
        rows=restored.written,
        left_out=restored.left_out,
        taken_over=taken_over,
    )
