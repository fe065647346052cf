from __future__ import annotations

from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend

from drportal.simulator.agenda import Agenda
from drportal.simulator.exceptions import ResourceNotFoundException
from drportal.simulator.identifiers import arn
from drportal.simulator.resources import Job, RecoveryInstance, SourceServer


class DRSBackend(BaseBackend):
    """DRS in one account and Region. Everything is by id; configurations by wire member name.

    `tags` holds the tags of every resource by its ARN: what is not in it does not exist for the tag
    operations, so what creates a resource adds an entry and what deletes it removes the entry.
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.initialized = False
        self.servers: dict[str, SourceServer] = {}
        self.jobs: dict[str, Job] = {}
        self.instances: dict[str, RecoveryInstance] = {}
        self.tags: dict[str, dict[str, str]] = {}
        # By source server id.
        self.launch_configurations: dict[str, dict[str, Any]] = {}
        self.replication_configurations: dict[str, dict[str, Any]] = {}
        # By template id; a template's tags are in `tags`.
        self.launch_configuration_templates: dict[str, dict[str, Any]] = {}
        self.replication_configuration_templates: dict[str, dict[str, Any]] = {}
        # By resource id (server or launch configuration template), then by action id.
        self.launch_actions: dict[str, dict[str, dict[str, Any]]] = {}
        # What is still to happen, in the order of its time.
        self.agenda = Agenda()

    def arn_of(self, kind: str, identifier: str) -> str:
        """The ARN of a resource here; `kind` as in `source-server`."""
        return arn(self.partition, self.region_name, self.account_id, kind, identifier)

    def server(self, server_id: str) -> SourceServer:
        """Raises ResourceNotFoundException."""
        return _found(self.servers, server_id, "SourceServer")

    def job(self, job_id: str) -> Job:
        """Raises ResourceNotFoundException."""
        return _found(self.jobs, job_id, "Job")

    def instance(self, instance_id: str) -> RecoveryInstance:
        """Raises ResourceNotFoundException."""
        return _found(self.instances, instance_id, "RecoveryInstance")

    def active_jobs(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.active]


def _found(things: dict[str, Any], identifier: str, kind: str) -> Any:
    if identifier not in things:
        raise ResourceNotFoundException(
            f"{kind} {identifier} does not exist.", resource_id=identifier, resource_type=kind
        )
    return things[identifier]


drs_backends: BackendDict[DRSBackend] = BackendDict(DRSBackend, "drs")
