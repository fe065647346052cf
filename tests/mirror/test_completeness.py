"""Every column of what is mirrored is in its item, or is left out on purpose."""

from collections import defaultdict

import pytest
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from drportal.mirror.projections import all_projections
from protection.models import (
    AccountRegion,
    GroupMember,
    GroupVersion,
    LaunchAddress,
    LaunchSettings,
    LaunchSettingsVersion,
    ProtectionGroup,
    RecoveryInstance,
    SourceServer,
    StagingAccount,
    StagingLink,
    TagSyncSettings,
    TargetAccount,
)
from recovery.models import (
    CleanUp,
    DrillOccurrence,
    DrillSchedule,
    Execution,
    Failback,
    FailbackInstance,
    FailbackJob,
    GateDecision,
    LaunchJob,
    NoticeChannel,
    PlanVersion,
    PlanWave,
    PlanWaveGroup,
    RecoveryPlan,
    ServerCheck,
    Termination,
    TerminationInstance,
    TerminationJob,
    Wave,
    WavePreflight,
    WaveServer,
)
from tests.factories.checks import ServerCheckFactory
from tests.factories.drills import CleanUpFactory, DrillOccurrenceFactory
from tests.factories.failbacks import FailbackInstanceFactory
from tests.factories.protection import ProtectionGroupFactory
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.terminations import TerminationInstanceFactory
from tests.mirror.made import everything_set_of

pytestmark = pytest.mark.django_db

# When the portal looks next, and who is at it, is of no use to anybody else.
WORKINGS = {"due_at", "leased_until", "lease_token", "next_check_at", "requests_made"}
LEFT_OUT = {
    TargetAccount: set(),
    StagingAccount: set(),
    StagingLink: {"id", "staging"},  # the item is the staging account's
    AccountRegion: {"checked_at"},  # a restored Region is looked at again at once
    SourceServer: set(),
    RecoveryInstance: set(),
    ProtectionGroup: set(),
    GroupMember: {"id", "group"},  # the item is the group's
    GroupVersion: set(),
    LaunchSettings: set(),
    LaunchSettingsVersion: set(),
    LaunchAddress: {"id", "settings"},  # the item is the settings'
    TagSyncSettings: set(),
    # What the portal makes of its own list of tasks, and what beat notes of them all the time.
    PeriodicTask: {field.name for field in PeriodicTask._meta.concrete_fields}
    - {"name", "task", "queue", "expire_seconds", "kwargs", "enabled", "interval", "crontab"},
    RecoveryPlan: set(),
    PlanVersion: set(),
    NoticeChannel: set(),
    PlanWave: {"id", "plan"},  # it has no life of its own: a plan's waves are made anew
    PlanWaveGroup: {"id"},
    # What keeps the running engine from going on, and that it was restored, which is ours to know.
    Execution: {"message", "restored_at"},
    Wave: set(),
    # What AWS said before a wave is asked again; the item, which is the wave's, has the override.
    WavePreflight: {"wave", "created_at"}
    | {"asked_at", "looked_at", "outcome", "checks", "digest", "blocking", "refusals"},
    GateDecision: {"id", "wave"},  # the item is the wave's
    WaveServer: {"execution", "wave"},  # the item is the wave's
    ServerCheck: {"server"},  # the item is the wave's
    # Its account is told by its 12 digits and its name, for the account may be deleted.
    LaunchJob: {"execution", "wave", "account", "attempts", "refusals", "log_read_at"},
    Termination: set(),
    TerminationJob: {"account", "attempts", "refusals", "failures"},
    DrillSchedule: set(),
    DrillOccurrence: set(),
    CleanUp: set(),
    TerminationInstance: {"termination", "job"},  # the item is the job's
    Failback: {"message", "failures", "restored_at"},
    FailbackJob: {"account", "attempts", "refusals", "failures"},
    FailbackInstance: {"attempts", "refusals"},
}


def columns(model):
    return {field.name for field in model._meta.concrete_fields}


@pytest.fixture
def read(monkeypatch):
    """The columns that were read of each model, by name."""
    found = defaultdict(set)

    def watch(model):
        original = model.__getattribute__
        names = {field.attname: field.name for field in model._meta.concrete_fields}
        names |= {name: name for name in names.values()}

        def noting(self, name):
            if name == "pk":
                found[model].add(model._meta.pk.name)
            elif name in names:
                found[model].add(names[name])
            return original(self, name)

        monkeypatch.setattr(model, "__getattribute__", noting)

    group = ProtectionGroupFactory.create()
    everything_set_of(group)
    NoticeChannel.objects.create(name="Room", medium="TOPIC", address="arn", masked="arn")
    wave = WaveFactory.create(execution=ExecutionFactory.create(plan=plan_of(group)))
    ServerCheckFactory.create()
    WaveServerFactory.create(wave=wave, launch_job=LaunchJobFactory.create(wave=wave))
    GateDecision.objects.create(wave=wave, person="ann", approved=True)
    TerminationInstanceFactory.create()
    DrillOccurrenceFactory.create()
    CleanUpFactory.create()
    WavePreflight.objects.create(wave=wave, overridden=["drs"], overridden_at=timezone.now())
    FailbackInstanceFactory.create()
    for model in LEFT_OUT:
        watch(model)
    for projection in all_projections():
        for ids in projection.object_ids():
            projection.items(ids)
    return found


@pytest.mark.parametrize("model", LEFT_OUT, ids=lambda model: model.__name__)
def test_no_column_is_forgotten(read, model):
    # Django itself reads keys while it puts related rows together, so some may show as read.
    forgotten = columns(model) - read[model] - LEFT_OUT[model] - WORKINGS
    assert forgotten == set()


def test_every_mirrored_model_is_looked_at():
    mirrored = {projection.model for projection in all_projections()}
    assert {model.__name__ for model in mirrored - LEFT_OUT.keys()} == {"AuditRecord"}
