"""moto's EC2, by its own objects.

Never by a client: in a server that would be a call to itself.
"""

from __future__ import annotations

from moto.ec2.models import EC2Backend, ec2_backends

from drportal.simulator.models import DRSBackend

MANAGED_TAG = {"AWSElasticDisasterRecoveryManaged": "drs.amazonaws.com"}
SERVER_TAG = "AWSElasticDisasterRecoverySourceServerID"


class LaunchProblem(Exception):
    """EC2 refused. The text goes into the job log as `rawError`."""


def ec2_of(backend: DRSBackend) -> EC2Backend:
    """EC2 in the backend's account and Region."""
    return ec2_backends[backend.account_id][backend.region_name]
