from typing import Any

from django.core.management.base import BaseCommand, CommandError

from drportal.probes import problems
from drportal.settings.env import env


class Command(BaseCommand):
    help = "Ask PostgreSQL, Redis and the AWS endpoint for a sign of life; name what is wrong."

    def handle(self, *_args: Any, **_options: Any) -> None:
        found = problems(env)
        if found:
            raise CommandError("Not every service answers:\n  " + "\n  ".join(found))
        self.stdout.write("Every configured service answers.")
