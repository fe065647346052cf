"""Which Regions have DRS, as botocore's endpoint data says: never a list of our own."""

from functools import cache

import boto3
from django.conf import settings


@cache
def drs_regions(partition: str = "aws") -> tuple[str, ...]:
    """The Regions of `partition` in which DRS has an endpoint, sorted."""
    return tuple(sorted(boto3.Session().get_available_regions("drs", partition_name=partition)))


@cache
def _everywhere() -> frozenset[str]:
    partitions = boto3.Session().get_available_partitions()
    return frozenset(region for partition in partitions for region in drs_regions(partition))


def is_drs_region(region: str) -> bool:
    """Whether DRS has an endpoint in `region`, in any partition."""
    return region in _everywhere()


def watched_regions(partition: str = "aws") -> tuple[str, ...]:
    """The Regions this installation looks at: those of the DRS_REGIONS setting, else all."""
    chosen = set(settings.DRS_REGIONS)
    return tuple(region for region in drs_regions(partition) if not chosen or region in chosen)
