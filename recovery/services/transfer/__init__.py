"""The configuration as one document, out and in."""

from recovery.services.transfer.importing import import_document
from recovery.services.transfer.outcome import Mode
from recovery.services.transfer.reading import DocumentInvalid, taken

__all__ = ["DocumentInvalid", "Mode", "import_document", "taken"]
