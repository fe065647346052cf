"""A launch job from its start to its end, server by server.

Servers of one operating system family move in near lock-step, as real job logs show; each step
plans the next one on the backend's agenda.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from moto.ec2.models.instances import Instance
from moto.moto_api._internal import mock_random

from drportal.simulator import ec2, instances, jobs, launch_actions
from drportal.simulator.ec2_backend import LaunchProblem
from drportal.simulator.faults import LAUNCH, Fault, Kind
from drportal.simulator.models import DRSBackend
from drportal.simulator.replication import names, progress
from drportal.simulator.resources import Job, Participant, SourceServer
from drportal.simulator.settings import Timing
from drportal.simulator.snapshots import points
from drportal.simulator.world import world

_AFTER_START = timedelta(seconds=0.4)
_AFTER_CONVERSION = timedelta(seconds=0.5)
_AFTER_LAST = timedelta(seconds=2.4)
# The instance exists after this share of the launch; the rest is its boot.
_UNTIL_INSTANCE = 0.1
_JITTER = timedelta(seconds=15)

_RAW_ERRORS = {
    Kind.SKIP: "The source server was skipped.",
    Kind.SNAPSHOT_FAIL: "Failed to take snapshot",
    Kind.CONVERSION_FAIL: "Conversion failed",
    Kind.LAUNCH_FAIL: "InsufficientInstanceCapacity: We currently do not have sufficient capacity "
    "in the Availability Zone you requested.",
}

Step = Callable[[datetime], None]


def begin(backend: DRSBackend, job: Job) -> None:
    """Plan the job, whose servers were checked."""
    courses = [
        Course(backend, job, participant, number)
        for number, participant in enumerate(job.participants)
    ]
    later(backend, job.created_at, jobs.BEFORE_START, partial(_start, job, courses))


def later(backend: DRSBackend, at: datetime, delay: timedelta, step: Step) -> None:
    """Plan a step `delay` after `at`, at the clock's speed."""
    backend.agenda.plan(at + world.clock.scaled(delay), step)


def _start(job: Job, courses: list[Course], at: datetime) -> None:
    jobs.start(job, at)
    # The old instances of all servers go before the first snapshot is taken.
    cleaning = any(course.old_instance for course in courses)
    pause = world.settings.cleanup if cleaning else timedelta()
    for course in courses:
        course.begin(at, pause)


class Course:
    """The course of one server through a launch job."""

    def __init__(
        self, backend: DRSBackend, job: Job, participant: Participant, number: int
    ) -> None:
        self.backend = backend
        self.job = job
        self.participant = participant
        self.number = number
        self.server: SourceServer = backend.servers[participant.server_id]
        self.fault: Fault | None = world.faults.strike(
            *LAUNCH,
            account=backend.account_id,
            region=backend.region_name,
            server=names(self.server),
        )
        self.old_instance = self.server.launched
        self.point_in_time = self._pinned_moment()
        self.conversion_server: Instance | None = None

    @property
    def timing(self) -> Timing:
        return world.settings.windows if self.server.windows else world.settings.linux

    def _pinned_moment(self) -> datetime:
        for point in points(self.backend, self.server):
            if point.id == self.participant.snapshot_id:
                return point.expected_at
        return self.job.created_at

    def begin(self, at: datetime, pause: timedelta) -> None:
        """From the job's start; the first snapshot waits `pause` for the old instances to go."""
        staggered = _AFTER_START + jobs.STAGGER * self.number
        if self._struck_by(Kind.SKIP):
            self._later(at, staggered, partial(self._fail, "SERVER_SKIPPED"))
            return
        if self.old_instance:
            self._later(at, staggered, self._cleanup_start)
            self._later(at, staggered + world.settings.cleanup, self._cleanup_end)
        if not self.participant.snapshot_id or world.settings.log_snapshot_of_pinned_point:
            self._later(at, staggered + pause, self._snapshot_start)
        else:
            self._later(at, staggered + pause, self._use_pinned_point)

    def _later(self, at: datetime, delay: timedelta, step: Step) -> None:
        later(self.backend, at, delay, step)

    def _struck_by(self, kind: Kind) -> bool:
        return self.fault is not None and self.fault.kind is kind

    def _note(self, at: datetime, event: str, **data: Any) -> None:
        jobs.note(self.job, at, event, sourceServerID=self.server.id, **data)

    def _over(self) -> bool:
        return self.participant.launch_status in ("LAUNCHED", "FAILED")

    def _cleanup_start(self, at: datetime) -> None:
        self._note(at, "CLEANUP_START")
        if self.old_instance:
            ec2.begin_termination(self.old_instance)

    def _cleanup_end(self, at: datetime) -> None:
        try:
            if self.old_instance:
                ec2.terminate(self.backend, self.old_instance)
        except LaunchProblem as problem:
            self._fail("CLEANUP_FAIL", at, raw_error=str(problem))
            return
        self._note(at, "CLEANUP_END")
        self.server.launched = None
        known = self.backend.instances.get(self.server.recovery_instance_id or "")
        if known:
            instances.forget(self.backend, known)

    def _snapshot_start(self, at: datetime) -> None:
        if self._over():
            return
        self._note(at, "SNAPSHOT_START")
        # What has not arrived is not in the snapshot.
        self.point_in_time = at - progress(self.backend, self.server, at).lag
        spread = jobs.STAGGER * len(self.job.participants)
        self._later(at, max(self.timing.snapshot, spread), self._snapshot_end)

    def _snapshot_end(self, at: datetime) -> None:
        if not self._struck_by(Kind.SNAPSHOT_FAIL):
            self._note(at, "SNAPSHOT_END")
        elif not self._fell_back(at):
            return
        self._later(at, self.timing.before_conversion, self._conversion_start)

    def _fell_back(self, at: datetime) -> bool:
        self._note(at, "SNAPSHOT_FAIL", rawError=self._raw_error())
        earlier = points(self.backend, self.server, at)
        if self.fault and self.fault.fallback and earlier:
            self._note(at, "USING_PREVIOUS_SNAPSHOT")
            self.point_in_time = earlier[-1].expected_at
            return True
        self._fail("USING_PREVIOUS_SNAPSHOT_FAILED", at)
        return False

    def _use_pinned_point(self, at: datetime) -> None:
        if self._over():
            return
        # The moment of the pinned point was noted when the job was made: by now it may be gone.
        self._later(at, self.timing.before_conversion, self._conversion_start)

    def _conversion_start(self, at: datetime) -> None:
        self._note(at, "CONVERSION_START")
        if world.settings.conversion_servers_in_ec2:
            try:
                self.conversion_server = ec2.run_conversion_server(
                    self.backend, self.server, self.job.id
                )
            except LaunchProblem as problem:
                raw_error = f"Conversion server launch failed: {problem}"
                self._fail_conversion(at, raw_error)
                return
        self._later(at, self.timing.conversion, self._conversion_end)

    def _conversion_end(self, at: datetime) -> None:
        identifier = self._end_conversion_server()
        if self._struck_by(Kind.CONVERSION_FAIL):
            self._fail_conversion(at, self._raw_error())
            return
        self._note(at, "CONVERSION_END", conversionServerID=identifier)
        self._later(at, _AFTER_CONVERSION, self._launch_start)

    def _end_conversion_server(self) -> str:
        if self.conversion_server is None:
            return f"i-{self.job.number:09x}{self.number:08x}"
        ec2.terminate(self.backend, self.conversion_server)
        return str(self.conversion_server.id)

    def _fail_conversion(self, at: datetime, raw_error: str) -> None:
        attempts = world.settings.conversion_attempts
        self._fail(
            "CONVERSION_FAIL",
            at,
            raw_error=raw_error,
            attemptCount=attempts,
            maxAttemptsCount=attempts,
        )

    def _launch_start(self, at: datetime) -> None:
        self._note(at, "LAUNCH_START")
        self.participant.launch_status = "IN_PROGRESS"
        self._show_in_server()
        self._later(at, self.timing.launch * _UNTIL_INSTANCE, self._run_instance)

    def _run_instance(self, at: datetime) -> None:
        if self._struck_by(Kind.LAUNCH_FAIL):
            self._fail("LAUNCH_FAILED", at)
            return
        try:
            instance, volumes = ec2.launch(self.backend, self.server, self.job.id, at)
        except LaunchProblem as problem:
            self._fail("LAUNCH_FAILED", at, raw_error=str(problem))
            return
        if self._struck_by(Kind.NEVER_FINISH):
            return
        jitter = _JITTER * world.random.uniform(-1, 1)
        boot = self.timing.launch * (1 - _UNTIL_INSTANCE) + jitter
        self._later(at, boot, partial(self._launch_end, instance, volumes))

    def _launch_end(
        self, instance: Instance, volumes: list[tuple[str, int, str]], at: datetime
    ) -> None:
        configuration = self.backend.launch_configurations[self.server.id]
        ec2.started(instance, configuration["launchDisposition"])
        instances.add(
            self.backend, self.server, self.job, instance, volumes, at, self.point_in_time
        )
        self.participant.instance_id = instance.id
        if configuration["postLaunchEnabled"]:
            self._run_actions()
        self._note(at, "LAUNCH_END", targetInstanceID=instance.id)
        self._finish(at, "LAUNCHED")

    def _run_actions(self) -> None:
        self.participant.runs = [
            {"action": action, "runId": str(mock_random.uuid4()), "status": "SUCCEEDED"}
            for action in launch_actions.active_actions(self.backend, self.server.id)
        ]

    def _raw_error(self) -> str:
        if self.fault is None:
            return ""
        return self.fault.raw_error or _RAW_ERRORS[self.fault.kind]

    def _fail(self, event: str, at: datetime, *, raw_error: str | None = None, **data: Any) -> None:
        self._note(at, event, rawError=raw_error or self._raw_error(), **data)
        skipped = event == "SERVER_SKIPPED"
        self._finish(at, world.settings.skipped_launch_status if skipped else "FAILED")

    def _show_in_server(self) -> None:
        launch = self.server.last_launch
        if launch and launch.job_id == self.job.id:
            launch.status = self.participant.launch_status

    def _finish(self, at: datetime, status: str) -> None:
        self.participant.launch_status = status
        self._show_in_server()
        self.job.unfinished -= 1
        if self.job.unfinished == 0:
            self._later(at, _AFTER_LAST, partial(jobs.complete, self.job))
