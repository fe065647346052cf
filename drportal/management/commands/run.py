import os
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from drportal import commandlines


class Command(BaseCommand):
    help = "Become one of the portal's processes, once the services it needs answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        processes = parser.add_subparsers(dest="process", required=True, metavar="PROCESS")
        web = processes.add_parser("web", help="the admin and the API")
        web.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
        web.add_argument("--workers", type=int, default=2)
        web.add_argument("--threads", type=int, default=4)
        worker = processes.add_parser("worker", help="carries out tasks")
        worker.add_argument(
            "--queues", default=commandlines.ALL_QUEUES, help="default: %(default)s"
        )
        worker.add_argument("--concurrency", type=int, default=4)
        worker.add_argument("--name", default="worker", help="unique on this host")
        processes.add_parser("beat", help="starts scheduled tasks; run exactly one")

    def handle(self, *_args: Any, **options: Any) -> None:
        call_command("check_services", stdout=self.stdout, stderr=self.stderr)
        command = _command(options)
        self.stdout.flush()
        # The process takes our place: signals and exit codes are its own.
        os.execv(command[0], command)  # noqa: S606  # no shell is wanted


def _command(options: dict[str, Any]) -> list[str]:
    if options["process"] == "web":
        return commandlines.web(
            bind=options["bind"], workers=options["workers"], threads=options["threads"]
        )
    if options["process"] == "worker":
        return commandlines.worker(
            name=options["name"], queues=options["queues"], concurrency=options["concurrency"]
        )
    return commandlines.beat()
