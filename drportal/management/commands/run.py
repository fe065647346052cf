import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

ALL_QUEUES = "engine,sync,mirror,default"


class Command(BaseCommand):
    help = "Become one of the portal's processes, once the services it needs answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        processes = parser.add_subparsers(dest="process", required=True, metavar="PROCESS")
        web = processes.add_parser("web", help="the admin and the API")
        web.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
        web.add_argument("--workers", type=int, default=2)
        web.add_argument("--threads", type=int, default=4)
        worker = processes.add_parser("worker", help="carries out tasks")
        worker.add_argument("--queues", default=ALL_QUEUES, help="default: %(default)s")
        worker.add_argument("--concurrency", type=int, default=4)
        worker.add_argument("--name", default="worker", help="unique on this host")
        processes.add_parser("beat", help="starts scheduled tasks; run exactly one")

    def handle(self, *_args: Any, **options: Any) -> None:
        call_command("check_services", stdout=self.stdout, stderr=self.stderr)
        command = _COMMANDS[options["process"]](options)
        self.stdout.flush()
        # The process takes our place: signals and exit codes are its own.
        os.execv(sys.executable, [sys.executable, "-m", *command])  # noqa: S606  # no shell is wanted


def _web(options: dict[str, Any]) -> list[str]:
    return [
        *("gunicorn", "drportal.wsgi:application"),
        *("--bind", options["bind"]),
        *("--workers", str(options["workers"])),
        *("--threads", str(options["threads"])),
        *("--access-logfile", "-"),
    ]


def _worker(options: dict[str, Any]) -> list[str]:
    return [
        *("celery", "-A", "drportal", "worker"),
        *("--queues", options["queues"]),
        *("--concurrency", str(options["concurrency"])),
        *("--hostname", f"{options['name']}@%h"),
        *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    ]


def _beat(_options: dict[str, Any]) -> list[str]:
    return ["celery", "-A", "drportal", "beat", "--loglevel", "INFO", "--pidfile="]


_COMMANDS = {"web": _web, "worker": _worker, "beat": _beat}
