import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drportal.actor import PORTAL
from drportal.errors import DomainError, InvalidInput
from recovery import configuration
from recovery.documents import text
from recovery.services import transfer


class Command(BaseCommand):
    help = (
        "export: print the configuration. check: say what is wrong with a document. "
        "import: bring one in; with --dry-run, say what that would do. "
        "A document is JSON or YAML, from FILE or from standard input."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["export", "check", "import"])
        parser.add_argument("file", nargs="?", default="-", help="the document; - is stdin")
        parser.add_argument("--format", choices=list(text.Format), default=text.Format.JSON)
        parser.add_argument("--mode", choices=list(transfer.Mode), default=transfer.Mode.ADD_ONLY)
        parser.add_argument("--dry-run", action="store_true", help="undo it at the end")
        parser.add_argument(
            "--keep-going", action="store_true", help="keep the rest when a part is refused"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")(options)
        except InvalidInput as error:
            told = [f"{each['field'] or 'document'}: {each['message']}" for each in error.errors]
            raise CommandError("\n".join([error.detail, *told]), returncode=2) from error
        except DomainError as error:
            raise CommandError(error.detail, returncode=2) from error

    def _export(self, options: dict[str, Any]) -> None:
        written = text.written(configuration.document(), text.Format(options["format"]))
        self.stdout.write(written, ending="")

    def _check(self, options: dict[str, Any]) -> None:
        read = transfer.taken(_document(options["file"]))
        for each in read.warnings:
            self.stdout.write(f"{each['field']}: {each['message']}")
        self.stdout.write("The document can be read.")

    def _import(self, options: dict[str, Any]) -> None:
        run = transfer.import_document(
            _document(options["file"]),
            mode=transfer.Mode(options["mode"]),
            dry_run=options["dry_run"],
            keep_going=options["keep_going"],
            actor=PORTAL,
        )
        self.stdout.write(json.dumps(run.outcome, indent=2, ensure_ascii=False))
        if not run.succeeded:
            kept = "the rest was kept" if run.outcome["kept"] else "nothing was kept"
            raise CommandError(f"Some parts were refused; {kept}.")


def _document(file: str) -> Any:
    try:
        found = sys.stdin.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", returncode=2) from error
    return text.read(found)
