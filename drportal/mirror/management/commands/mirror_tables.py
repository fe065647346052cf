from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drportal.errors import DomainError
from drportal.mirror import services


class Command(BaseCommand):
    help = (
        "Makes the DynamoDB tables of the mirror that are missing, and waits until all are ready."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--within", type=float, default=120, help="seconds to wait (120)")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            made = services.make_tables(within=options["within"])
        except DomainError as error:
            raise CommandError(error.detail) from error
        for name in made:
            self.stdout.write(f"made {name}")
        self.stdout.write("All tables of the mirror are ready.")
