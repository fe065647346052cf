"""A clean-up survives the loss of the portal, and goes on to its end."""

import pytest

from drportal.mirror import services
from protection.models import TargetAccount
from protection.services import accounts
from recovery.models import Execution, Termination, TerminationInstance, TerminationJob
from recovery.states import InstanceOutcome, JobState, TerminationState
from tests.clean_ups import asked_for, carried_out, outcomes, step, terminate_jobs, there
from tests.mirror.emptying import lose_everything
from tests.mirror.store import Store, both_sides_equal, drain_all
from tests.worlds import (
    EXTERNAL_ID,
    PERSON,
    drill,
    group_of,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)
MODELS = (Termination, TerminationJob, TerminationInstance)
WORKINGS = {"due_at", "leased_until", "lease_token", "attempts", "refusals", "failures"}


@pytest.fixture
def launched(aws, driver):
    """Simulated AWS with a drill that has launched three servers, and its mirror."""
    world_of([server(f"web-{n}") for n in range(3)])
    made = Store()
    registered()
    yield driver.run(drill(plan_of(wave("Web", group_of("web")))))
    made.close()


def lost_and_rebuilt() -> None:
    drain_all()
    lose_everything()
    assert services.restore(take_over=True).left_out == []
    for account in TargetAccount.objects.filter(is_hub=False):
        accounts.edit(account, external_id=EXTERNAL_ID, actor=PERSON)


def rows():
    return [
        {name: value for name, value in row.items() if name not in WORKINGS}
        for model in MODELS
        for row in model._default_manager.order_by("pk").values()
    ]


def goes_on(termination: Termination) -> None:
    found = carried_out(Termination.objects.get(pk=termination.pk))
    assert found.state == TerminationState.COMPLETED
    assert there() == set()
    assert len(terminate_jobs()) == 1
    assert not Execution.objects.get().servers.filter(instance_gone_at=None).exists()
    drain_all()
    both_sides_equal()


def test_one_that_has_ended_is_as_it_was(launched):
    termination = carried_out(asked_for(launched, reason="over"))
    before = rows()
    lost_and_rebuilt()
    assert rows() == before
    assert outcomes(Termination.objects.get()) == outcomes(termination)
    assert not Execution.objects.get().servers.filter(instance_gone_at=None).exists()


def test_one_that_was_only_asked_for_is_carried_out(launched):
    termination = asked_for(launched)
    lost_and_rebuilt()
    goes_on(termination)


def test_one_that_drs_works_on_is_watched_to_its_end(launched):
    termination = asked_for(launched)
    step(termination)
    lost_and_rebuilt()
    assert TerminationJob.objects.get().state == JobState.STARTED
    goes_on(termination)
    assert set(outcomes(termination).values()) == {InstanceOutcome.TERMINATED}


def test_what_the_mirror_was_not_told_is_found_out(launched):
    """The mirror knows of a job in the queue only; DRS has started it."""
    termination = asked_for(launched)
    drain_all()
    step(termination)
    lose_everything()
    assert services.restore(take_over=True).left_out == []
    for account in TargetAccount.objects.filter(is_hub=False):
        accounts.edit(account, external_id=EXTERNAL_ID, actor=PERSON)
    assert TerminationJob.objects.get().state == JobState.QUEUED
    goes_on(termination)
    assert set(outcomes(termination).values()) == {InstanceOutcome.GONE}
