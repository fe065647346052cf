"""What a PDF of the portal says, by page, without a library: its pages are compressed text."""

import base64
import re
import zlib

_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\n?endstream", re.DOTALL)
_TEXT = re.compile(rb"\(((?:\\.|[^\\)])*)\) Tj")
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)


def pages(pdf: bytes) -> list[str]:
    """The text of each page, in the order in which it is drawn."""
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    found = []
    for match in _STREAM.finditer(pdf):
        data = zlib.decompress(_raw(match[1]))
        words = [_ESCAPED.sub(_letter, each).decode("cp1252") for each in _TEXT.findall(data)]
        found.append(" ".join(words))
    return found


def _raw(stream: bytes) -> bytes:
    text = stream.strip()
    return base64.a85decode(text.removesuffix(b"~>")) if text.endswith(b"~>") else stream


def _letter(match: re.Match[bytes]) -> bytes:
    told = match[1]
    return bytes([int(told, 8)]) if told.isdigit() and len(told) == 3 else told
