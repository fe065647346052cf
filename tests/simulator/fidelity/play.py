"""One long run through the simulated DRS: every operation, every kind of end, most refusals.

The run only calls the API, moves the clock and sets faults, so it is the same in process and over
HTTP. What it yields is judged by the tests.
"""

from collections.abc import Callable
from typing import Any

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from tests.simulator.fidelity.acts_failback import FailbackActs
from tests.simulator.fidelity.acts_recovery import RecoveryActs
from tests.simulator.fidelity.acts_settings import SettingsActs
from tests.simulator.fidelity.estate import build


class Play(SettingsActs, RecoveryActs, FailbackActs):
    """The acts of the run, in order."""

    def run(self) -> None:
        self.start_up()
        self.inventory()
        self.templates()
        self.launch_actions()
        self.configurations()
        self.tags()
        self.drill()
        self.recovery_with_cleanup()
        self.launch_faults()
        self.refused_launches()
        self.terminations()
        self.staging()
        self.failback_to_premises()
        self.failback_to_ec2()
        self.server_life()
        self.faulty_calls()

    def faulty_calls(self) -> None:
        for kind, code in (
            (Kind.THROTTLE, "ThrottlingException"),
            (Kind.SERVER_ERROR, "InternalServerException"),
            (Kind.ACCESS_DENIED, "AccessDeniedException"),
            (Kind.UNINITIALIZED, "UninitializedAccountException"),
        ):
            world.faults.add(Fault(kind, operation="DescribeSourceServers", times=1, seconds=3))
            self.refused("DescribeSourceServers", code)


def played(clients: Callable[[str, str], Any], *, strict: bool) -> Play:
    """The whole run on a new estate."""
    clock = build()
    world.settings.strict_model = strict
    play = Play(clients, clock)
    play.run()
    return play
