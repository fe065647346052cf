from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drportal.actor import PORTAL
from drportal.errors import DomainError
from recovery.models import Execution
from recovery.services import terminations
from recovery.states import InstanceOutcome


class Command(BaseCommand):
    help = (
        "terminate: ask that what an execution launched be terminated; after a recovery, --confirm "
        "takes the plan's name. terminations: what became of each instance. Workers do the rest."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["terminate", "terminations"])
        parser.add_argument("execution", help="its id")
        parser.add_argument("--reason", default="")
        parser.add_argument("--confirm", default="", help="the plan's name, after a recovery")

    def handle(self, *_: Any, **options: Any) -> None:
        execution = _found(options["execution"])
        try:
            getattr(self, f"_{options['what']}")(execution, options)
        except DomainError as error:
            raise CommandError(error.detail, returncode=2) from error

    def _terminate(self, execution: Execution, options: dict[str, Any]) -> None:
        termination = terminations.request(
            execution, reason=options["reason"], confirmation=options["confirm"], actor=PORTAL
        )
        self.stdout.write(f"{termination.instances.count()} instances are to be terminated.")

    def _terminations(self, execution: Execution, _: dict[str, Any]) -> None:
        for termination in terminations.told(execution):
            self.stdout.write(f"{termination.created_at:%Y-%m-%d %H:%M:%S} {termination.state}")
            for row in termination.instances.all():
                label = InstanceOutcome(row.state).label
                self.stdout.write(f"  {row} of {row.server.name}: {label}. {row.message}".rstrip())
        standing = terminations.standing(execution)
        self.stdout.write(f"{len(standing.left)} instances may be there still.")


def _found(text: str) -> Execution:
    try:
        return Execution.objects.get(pk=UUID(text))
    except (ValueError, Execution.DoesNotExist):
        raise CommandError(f"There is no execution {text!r}.", returncode=2) from None
