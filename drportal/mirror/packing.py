"""Items as they are stored: what DynamoDB has no room for is compressed."""

import gzip
import hashlib
import json
from collections.abc import Collection
from typing import Final

from drportal.aws.dynamodb import Item, as_stored, stored_size
from drportal.mirror.projections import DELETED, VERSION

PACKED: Final = "Gzip"  # ends the name of an attribute that holds gzipped JSON
ROOM: Final = 350 * 1024  # bytes; an item ends at 400 KB (DynamoDB guide)


def packed(item: Item, *, room: int = ROOM) -> Item:
    """`item` with its largest lists and maps compressed until it fits into `room` bytes."""
    made = dict(item)
    sizes = {name: stored_size({name: made[name]}) for name in made}
    large = [name for name in made if isinstance(made[name], list | dict)]
    for name in sorted(large, key=sizes.__getitem__, reverse=True):
        if stored_size(made) <= room:
            break
        text = json.dumps(as_stored({name: made.pop(name)})[name], sort_keys=True)
        made[f"{name}{PACKED}"] = gzip.compress(text.encode(), mtime=0)
    return made


def unpacked(item: Item) -> Item:
    """The item that `packed` was given, as it reads back from DynamoDB."""
    made: Item = {}
    for name, value in item.items():
        if name.endswith(PACKED) and isinstance(value, bytes):
            made[name.removesuffix(PACKED)] = json.loads(gzip.decompress(value))
        else:
            made[name] = value
    return made


def told(item: Item, *, leaving_out: Collection[str] = ()) -> Item:
    """What `item` says, however it is stored and whichever send brought it."""
    stored = unpacked(as_stored(item))
    unsaid = {VERSION, DELETED, *leaving_out}
    return {name: value for name, value in stored.items() if name not in unsaid}


def digest(item: Item, *, leaving_out: Collection[str] = ()) -> str:
    """A digest of what `item` tells."""
    said = told(item, leaving_out=leaving_out)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
