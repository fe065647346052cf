"""Which servers a group's tags choose: the one matcher, used wherever a group is resolved."""

import math
from collections.abc import Mapping

from django.db.models import Q

from drportal.aws.limits import DRS_JOBS, JobQuotas
from drportal.errors import InvalidInput

_LONGEST = 256  # of a key and of a value (botocore model)
_MOST = 50


def matching(tags: Mapping[str, str]) -> Q:
    """Servers that have every one of `tags`, keys and values exactly. No tags choose nothing."""
    if not tags:
        return Q(pk__in=[])
    return Q(tags__contains=dict(tags))


def checked(tags: object) -> dict[str, str]:
    """`tags` if they can be a group's; else InvalidInput that says what is wrong with which."""
    if not isinstance(tags, Mapping):
        raise InvalidInput.field("tags", "invalid", "Tags are pairs of a key and a value.")
    if len(tags) > _MOST:
        raise InvalidInput.field("tags", "too_many", f"At most {_MOST} tags can be given.")
    for key, value in tags.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InvalidInput.field("tags", "invalid", "Keys and values of tags are text.")
        if not key.strip() or len(key) > _LONGEST or len(value) > _LONGEST:
            message = f"A tag's key has 1 to {_LONGEST} characters, its value at most {_LONGEST}."
            raise InvalidInput.field("tags", "invalid", message)
        if not _storable(key + value):
            message = "A tag holds a character that no tag of AWS can have."
            raise InvalidInput.field("tags", "invalid", message)
    return dict(tags)


def jobs_for(count: int, quotas: JobQuotas = DRS_JOBS) -> int:
    """How many launch jobs `count` servers of one account and Region take at least."""
    return math.ceil(count / quotas.servers_per_job)


def _storable(text: str) -> bool:
    """Whether it is text at all: JSON lets halves of characters and zeros through."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
