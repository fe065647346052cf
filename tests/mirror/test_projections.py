import ast
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.models import AuditRecord
from audit.services import record
from drportal.actor import PORTAL
from drportal.mirror import projections
from drportal.mirror.attributes import moment
from drportal.mirror.packing import digest
from drportal.mirror.projections import NoProjection, all_projections, projection_of
from protection.choices import Selection
from recovery.models import Execution, NoticeChannel, Wave
from recovery.states import ExecutionState
from tests.factories.drills import CleanUpFactory, DrillOccurrenceFactory
from tests.factories.failbacks import FailbackInstanceFactory
from tests.factories.protection import (
    AccountRegionFactory,
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
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
NAMED_BY_THE_DESIGN = {
    *("ProtectionGroups", "RecoveryPlans", "TargetAccounts", "SourceServerInventory"),
    *("RegionStatus", "ExecutionHistory", "WaveStatus", "AuditLogs"),
    *("StagingAccounts", "RecoveryInstanceInventory", "LaunchConfigurations"),
}
# What else it takes to rebuild a lost portal (docs/adr/0007).
OUR_OWN = {
    *("ProtectionGroupVersions", "LaunchConfigurationVersions", "RecoveryPlanVersions"),
    *("TagSyncSettings", "Schedules", "NoticeChannels"),
    *("Terminations", "TerminationJobs", "CleanUps"),
    *("Failbacks", "FailbackJobs", "FailbackInstances"),
    *("DrillSchedules", "DrillOccurrences"),
}
ONE_ROW = {"TagSyncSettings"}
EVERY = [projection.kind for projection in all_projections()]


def make(count):
    """`count` objects of every kind."""
    for number in range(count):
        group = ProtectionGroupFactory.create()
        everything_set_of(group)
        plan = plan_of(group, ProtectionGroupFactory.create(tags={"Tier": "1"}))
        NoticeChannel.objects.create(
            plan=plan, name="Room", medium="SERVICE", address="a secret", masked="Slack [masked]"
        )
        wave = WaveFactory.create(execution=ExecutionFactory.create(plan=plan))
        job = LaunchJobFactory.create(wave=wave)
        WaveServerFactory.create_batch(2, wave=wave, launch_job=job)
        TerminationInstanceFactory.create()
        DrillOccurrenceFactory.create()
        CleanUpFactory.create()
        FailbackInstanceFactory.create()
        with transaction.atomic():
            record("tests.made", actor=PORTAL, number=number)


def ids_of(projection):
    return [object_id for chunk in projection.object_ids() for object_id in chunk]


def item_of(kind, row):
    projection = projection_of(kind)
    [item] = projection.items([str(getattr(row, projection.field))]).values()
    return item


def test_every_table_of_the_design_is_there():
    assert set(EVERY) == NAMED_BY_THE_DESIGN | OUR_OWN


def test_every_kind_that_is_marked_has_a_table():
    marked = set()
    for app in ("audit", "drportal", "protection", "recovery", "queries"):
        for path in (Path(settings.BASE_DIR) / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _name(node.func) == "mark" and node.args:
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        marked.add(first.value)
    assert "AuditLogs" in marked
    assert marked <= set(EVERY)


def _name(function):
    return getattr(function, "id", getattr(function, "attr", ""))


def test_an_unknown_kind_has_none():
    with pytest.raises(NoProjection, match="Nonsense"):
        projection_of("Nonsense")


def test_a_kind_is_declared_once(settings, monkeypatch):
    settings.MIRROR_PROJECTIONS = ["audit.mirror", "audit.mirror"]
    with pytest.raises(ValueError, match="same kind"):
        projections._projections.__wrapped__()


@pytest.mark.parametrize("kind", EVERY)
def test_items_carry_their_key_and_are_built_alike_each_time(kind):
    make(2)
    projection = projection_of(kind)
    ids = ids_of(projection)
    items = projection.items(ids)
    assert len(ids) >= (1 if kind in ONE_ROW else 2)
    assert set(items) == set(ids)
    assert all(item[projection.key] == object_id for object_id, item in items.items())
    again = projection.items(list(reversed(ids)))
    assert {i: digest(item) for i, item in items.items()} == {
        i: digest(item) for i, item in again.items()
    }


@pytest.mark.parametrize("kind", EVERY)
def test_many_items_cost_as_many_queries_as_one(kind):
    projection = projection_of(kind)
    make(1)
    few = ids_of(projection)
    with CaptureQueriesContext(connection) as alone:
        projection.items(few)
    make(20)
    many = ids_of(projection)
    assert len(many) > 20 or kind in ONE_ROW
    with CaptureQueriesContext(connection) as together:
        projection.items(many)
    assert len(together) == len(alone)


@pytest.mark.parametrize("kind", EVERY)
def test_attributes_of_indexes_are_text_or_absent(kind):
    make(1)
    SourceServerFactory.create(origin_account_id="", staging_account_id="")
    ExecutionFactory.create(plan=None, plan_name="gone")
    projection = projection_of(kind)
    names = {name for index in projection.indexes for name in (index.key, index.sort) if name}
    for item in projection.items(ids_of(projection)).values():
        for name in names & item.keys():
            assert isinstance(item[name], str)
            assert item[name]


def test_no_item_holds_an_external_id():
    make(2)
    TargetAccountFactory.create(external_id="never-shown-at-all")
    told = [projection.items(ids_of(projection)) for projection in all_projections()]
    assert "never-shown" not in json.dumps(told)
    assert '"hasExternalId": true' in json.dumps(told)


def test_a_group_of_servers():
    group = ProtectionGroupFactory.create(name="web")
    item = item_of("ProtectionGroups", group)
    assert item["groupName"] == "web"
    assert item["accountId"] == group.account.account_id
    assert item["selection"] == Selection.SERVERS
    assert item["serverSelectionTags"] == {}
    assert item["sourceServerIds"] == [group.members.get().server.server_id]
    assert item["createdDate"] == int(group.created_at.timestamp())
    assert item["version"] == 1


def test_a_group_of_tags():
    item = item_of("ProtectionGroups", ProtectionGroupFactory.create(tags={"Tier": "web"}))
    assert (item["serverSelectionTags"], item["sourceServerIds"]) == ({"Tier": "web"}, [])


def test_a_plan_numbers_its_waves_from_0():
    groups = [ProtectionGroupFactory.create(), ProtectionGroupFactory.create()]
    item = item_of("RecoveryPlans", plan_of(*groups, gates=(2,)))
    first, second = item["waves"]
    assert (first["waveNumber"], first["position"], first["dependsOnWaves"]) == (0, 1, [])
    assert (second["waveNumber"], second["dependsOnWaves"]) == (1, [0])
    assert (first["pauseBeforeWave"], second["pauseBeforeWave"]) == (False, True)
    assert second["protectionGroupIds"] == [str(groups[1].pk)]


def test_unknown_is_absent_and_not_zero():
    region = AccountRegionFactory.create(server_count=None, listed_at=None)
    assert "serverCount" not in item_of("RegionStatus", region)
    assert item_of("RegionStatus", AccountRegionFactory.create(server_count=0))["serverCount"] == 0


def test_an_execution_outlives_its_plan():
    execution = ExecutionFactory.create(plan=None, plan_name="gone", state=ExecutionState.COMPLETED)
    wave = WaveFactory.create(execution=execution, name="first")
    item = item_of("ExecutionHistory", execution)
    assert "planId" not in item
    assert (item["planName"], item["status"], item["totalWaves"]) == ("gone", "COMPLETED", 1)
    assert item["waves"] == [{"waveId": str(wave.pk), "waveNumber": 0, "waveName": "first"}]
    assert item["finishedAt"] == moment(Execution.objects.get().finished_at)


def test_a_wave_tells_of_its_servers_and_jobs():
    wave = WaveFactory.create(time_limit=timedelta(minutes=90))
    job = LaunchJobFactory.create(wave=wave, drs_job_id="drsjob-1")
    server = WaveServerFactory.create(wave=wave, launch_job=job, private_ip="10.0.0.1")
    item = item_of("WaveStatus", Wave.objects.get())
    assert item["timeLimitSeconds"] == 5400
    [told] = item["servers"]
    assert (told["sourceServerId"], told["privateIp"]) == (server.server_id, "10.0.0.1")
    [job_told] = item["jobs"]
    assert (job_told["jobId"], job_told["launchJobId"]) == ("drsjob-1", told["launchJobId"])


def test_facts_of_a_record_survive_as_they_were():
    facts = {"big": 10**60, "small": 1e-300, "": [None, {"deep": [1.5]}], "text": "ü"}
    with transaction.atomic():
        record("tests.made", actor=PORTAL, said=facts)
    item = item_of("AuditLogs", AuditRecord.objects.get())
    assert json.loads(item["facts"]) == {"said": facts}
    assert item["sequence"] == AuditRecord.objects.get().pk


def test_moments_sort_as_text():
    times = [
        datetime(2026, 1, 31, 9, tzinfo=UTC) + timedelta(microseconds=n) for n in (0, 5, 10**6)
    ]
    assert [moment(at) for at in times] == sorted(str(moment(at)) for at in times)
    assert moment(times[0]) == "2026-01-31T09:00:00.000000Z"
