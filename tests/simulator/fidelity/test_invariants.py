"""Whatever is called in whatever order, the parts of the simulated DRS agree with each other."""

from collections import Counter
from datetime import timedelta
from typing import Any

import boto3
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from moto import mock_aws

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.registration import register
from drportal.simulator.world import world
from tests.simulator.fidelity import grammar
from tests.simulator.fidelity.estate import LINUX, WINDOWS, add, backend_of, reset, server_id
from tests.simulator.fidelity.player import AWAY, HOME, HUB, Player, client
from tests.simulator.fidelity.recording import modelled_errors
from tests.simulator.fidelity.stage import UNKNOWN
from tests.simulator.fidelity.state import fingerprint

NAMES = ("web-1", "web-2", "db-1", "win-1", "prem-1", "lost-1")
JOBS, PER_JOB, IN_JOBS = 3, 3, 5
FINAL = {"LAUNCHED", "FAILED", "TERMINATED"}
LAUNCH_FAULTS = (Kind.SKIP, Kind.SNAPSHOT_FAIL, Kind.CONVERSION_FAIL, Kind.LAUNCH_FAIL)

names = st.sampled_from(NAMES)
some_names = st.lists(names, min_size=1, max_size=3, unique=True)
too_many_names = st.lists(names, min_size=4, max_size=4)
indices = st.integers(0, 11)
NOBODY = 11  # the index that stands for something that does not exist


class Calls(RuleBasedStateMachine):
    """Random calls, refused or not, between which time passes and EC2 changes by itself."""

    @initialize()
    def build(self) -> None:
        register()
        self.mock = mock_aws()
        self.mock.start()
        self.clock = reset()
        quotas = world.settings.quotas
        quotas.concurrent_jobs, quotas.servers_per_job, quotas.servers_in_jobs = (
            JOBS,
            PER_JOB,
            IN_JOBS,
        )
        for region in (HOME, AWAY):
            backend_of(region=region).initialized = True
        for name in NAMES:
            add(
                name,
                os=WINDOWS if name == "win-1" else LINUX,
                from_ec2=name != "prem-1",
                state="STALLED" if name == "lost-1" else "CONTINUOUS",
            )
        self.player = Player(client)
        self.ec2 = boto3.client("ec2", region_name=HOME)
        self.deleted_jobs: set[str] = set()
        self.told: set[str] = set()  # finished jobs whose log was read

    def teardown(self) -> None:
        if hasattr(self, "mock"):
            world.reset()
            self.mock.stop()

    def do(self, operation: str, **params: Any) -> dict[str, Any] | None:
        """None for a refusal, which must be modelled and must have changed nothing."""
        self.player.call("DescribeJobs")  # carries out what is due
        before = self.states()
        answer = self.player.attempt(operation, account=HUB, region=HOME, **params)
        if answer.error is None:
            return answer.result
        assert answer.error in modelled_errors(operation), (operation, answer.error)
        assert self.states() == before, operation
        return None

    def states(self) -> list[dict[str, Any]]:
        return [fingerprint(backend_of(region=region)) for region in (HOME, AWAY)]

    def instance(self, index: int) -> str:
        """One of the recovery instances, or one that does not exist."""
        known = sorted(backend_of().instances)
        return known[index % len(known)] if known and index != NOBODY else UNKNOWN["instance"]

    @rule(chosen=some_names | too_many_names, drill=st.booleans(), pinned=st.booleans())
    def start_recovery(self, chosen: list[str], drill: bool, pinned: bool) -> None:
        servers = []
        for name in chosen:
            server = {"sourceServerID": server_id(name)}
            points = self.player.call("DescribeRecoverySnapshots", **server)["items"]
            if pinned and points:
                server["recoverySnapshotID"] = points[-1]["snapshotID"]
            servers.append(server)
        self.do("StartRecovery", sourceServers=servers, isDrill=drill)

    @rule(chosen=some_names)
    def recover(self, chosen: list[str]) -> None:
        """A recovery with all the time it needs."""
        self.do(
            "StartRecovery", sourceServers=[{"sourceServerID": server_id(each)} for each in chosen]
        )
        self.clock.advance(timedelta(minutes=40))

    @rule(chosen=st.lists(indices, min_size=1, max_size=3))
    def terminate(self, chosen: list[int]) -> None:
        ids = [self.instance(index) for index in chosen]
        self.do("TerminateRecoveryInstances", recoveryInstanceIDs=ids)

    @rule(seconds=st.sampled_from((1, 30, 120, 400, 900, 3000)))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @rule(
        name=st.sampled_from(NAMES[:3]),
        operation=st.sampled_from(
            ("StopReplication", "StartReplication", "DisconnectSourceServer", "DeleteSourceServer")
        ),
    )
    def change_server(self, name: str, operation: str) -> None:
        self.do(operation, sourceServerID=server_id(name))

    @rule(
        index=indices,
        operation=st.sampled_from(
            (
                "DisconnectRecoveryInstance",
                "DeleteRecoveryInstance",
                "ReverseReplication",
                "StopFailback",
            )
        ),
    )
    def change_instance(self, index: int, operation: str) -> None:
        self.do(operation, recoveryInstanceID=self.instance(index))

    @rule(index=indices)
    def delete_job(self, index: int) -> None:
        known = sorted(backend_of().jobs)
        job = known[index % len(known)] if known and index != NOBODY else UNKNOWN["job"]
        if self.do("DeleteJob", jobID=job) is not None:
            self.deleted_jobs.add(job)

    @rule(index=indices, how=st.sampled_from(("terminate", "stop", "protect")))
    def change_in_ec2(self, index: int, how: str) -> None:
        known = backend_of().instances.get(self.instance(index))
        if known is None or known.ec2.state != "running" or known.ec2.disable_api_termination:
            return
        if how == "terminate":
            self.ec2.terminate_instances(InstanceIds=[known.id])
        elif how == "stop":
            self.ec2.stop_instances(InstanceIds=[known.id])
        else:
            known.ec2.disable_api_termination = True

    @rule(name=names, kind=st.sampled_from(LAUNCH_FAULTS))
    def next_launch_fails(self, name: str, kind: Kind) -> None:
        world.faults.add(Fault(kind, server=server_id(name), times=1))

    @invariant()
    def jobs_keep_the_quotas(self) -> None:
        active = [job for job in self.listed("DescribeJobs") if job["status"] != "COMPLETED"]
        servers = Counter(
            each["sourceServerID"] for job in active for each in job["participatingServers"]
        )
        assert len(active) <= JOBS
        assert servers.total() <= IN_JOBS
        assert set(servers.values()) <= {1}
        assert all(len(job["participatingServers"]) <= PER_JOB for job in active)

    @invariant()
    def jobs_tell_their_story_in_order(self) -> None:
        jobs = self.listed("DescribeJobs")
        made = [job["creationDateTime"] for job in jobs]
        assert made == sorted(made, reverse=True)
        for job in jobs:
            if job["jobID"] in self.told:
                continue
            log = self.player.call("DescribeJobLogItems", jobID=job["jobID"])["items"]
            assert grammar.faults(job, log) == []
            statuses = {each["launchStatus"] for each in job["participatingServers"]}
            assert job["status"] != "COMPLETED" or statuses <= FINAL
            assert job["status"] != "PENDING" or statuses == {"PENDING"}
            if job["status"] == "COMPLETED":
                self.told.add(job["jobID"])

    @invariant()
    def servers_and_instances_name_each_other(self) -> None:
        servers = self.listed("DescribeSourceServers")
        instances = self.listed("DescribeRecoveryInstances")
        forwards = {
            each["sourceServerID"]: each["recoveryInstanceId"]
            for each in servers
            if "recoveryInstanceId" in each
        }
        backwards = {each["sourceServerID"]: each["recoveryInstanceID"] for each in instances}
        assert forwards == backwards
        assert len(backwards) == len(instances)
        jobs = {job["jobID"] for job in self.listed("DescribeJobs")} | self.deleted_jobs
        launches = [each["lifeCycle"]["lastLaunch"]["initiated"] for each in servers]
        assert {each["jobID"] for each in launches if each} <= jobs
        assert {each["jobID"] for each in instances} <= jobs

    @invariant()
    def instances_are_ec2s(self) -> None:
        states = {
            each["InstanceId"]: each["State"]["Name"].upper()
            for reservation in self.ec2.describe_instances()["Reservations"]
            for each in reservation["Instances"]
        }
        for each in self.listed("DescribeRecoveryInstances"):
            assert states[each["recoveryInstanceID"]] == each["ec2InstanceState"]

    @invariant()
    def what_belongs_to_a_resource_lives_as_long(self) -> None:
        backend = backend_of()
        resources: list[Any] = [
            *backend.servers.values(),
            *backend.jobs.values(),
            *backend.instances.values(),
        ]
        assert backend.tags.keys() == {each.arn for each in resources}
        assert backend.launch_configurations.keys() == backend.servers.keys()
        assert backend.replication_configurations.keys() == backend.servers.keys()
        templates = {each["ec2LaunchTemplateID"] for each in backend.launch_configurations.values()}
        shown = self.ec2.describe_launch_templates()["LaunchTemplates"]
        assert {each["LaunchTemplateId"] for each in shown} == templates

    def listed(self, operation: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.player.call(operation)["items"]
        return items


TestCalls = Calls.TestCase
TestCalls.settings = settings(
    max_examples=10, stateful_step_count=20, deadline=None, derandomize=True
)
