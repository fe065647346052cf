import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drportal.errors import DomainError
from drportal.mirror import services


class Command(BaseCommand):
    help = (
        "verify: compares the database with DynamoDB and prints what differs (exit code 1 if "
        "anything does). repair: verifies and marks what differs to be sent again. "
        "drain: sends now what waits."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["verify", "repair", "drain"])
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")(as_json=options["json"])
        except DomainError as error:
            raise CommandError(error.detail, returncode=2) from error

    def _verify(self, *, as_json: bool) -> None:
        found = services.verify()
        self._print_result(found, as_json=as_json)
        if found.differences:
            raise CommandError(f"{len(found.differences)} differences")

    def _repair(self, *, as_json: bool) -> None:
        found = services.verify()
        self._print_result(found, as_json=as_json)
        marked = services.repair(found.differences)
        if not as_json:
            self.stdout.write(f"{marked} marked to be sent again")

    def _drain(self, *, as_json: bool) -> None:
        done = services.drain()
        line = json.dumps(asdict(done))
        self.stdout.write(line if as_json else f"{done.sent} sent, {done.postponed} put off")

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
