from io import StringIO

import pytest
from celery import current_app
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django_celery_beat.models import PeriodicTask

from audit.models import AuditRecord
from drportal.management.commands.sync_schedules import SCHEDULES
from drportal.roles import ROLES

pytestmark = pytest.mark.django_db


def run(command: str) -> str:
    out = StringIO()
    call_command(command, stdout=out)
    return out.getvalue()


def held(role: str) -> set[str]:
    found = Permission.objects.filter(group__name=role).select_related("content_type")
    return {f"{entry.content_type.app_label}.{entry.codename}" for entry in found}


def test_roles_are_made_as_the_table_says():
    run("sync_roles")
    assert {role: held(role) for role in ROLES} == {role: set(ROLES[role]) for role in ROLES}
    assert AuditRecord.objects.filter(event="access.role.changed").count() == len(ROLES)


def test_a_role_that_was_changed_by_hand_is_put_right_and_recorded():
    run("sync_roles")
    before = AuditRecord.objects.count()
    reader = Group.objects.get(name="DRSReadOnly")
    reader.permissions.add(Permission.objects.get(codename="recover_recoveryplan"))
    run("sync_roles")
    assert held("DRSReadOnly") == ROLES["DRSReadOnly"]
    record = AuditRecord.objects.latest("pk")
    assert record.facts["withdrawn"] == ["recover_recoveryplan"]
    assert AuditRecord.objects.count() == before + 1
    assert run("sync_roles") == ""


def test_who_only_reads_can_change_nothing():
    changing = {entry for entry in ROLES["DRSReadOnly"] if ".view_" not in entry}
    assert changing == set()
    assert "audit.view_auditrecord" not in ROLES["DRSOrchestrationAdmin"]


def test_every_schedule_names_a_task_that_exists():
    current_app.loader.import_default_modules()
    assert {schedule.task for schedule in SCHEDULES} <= set(current_app.tasks)


def test_schedules_are_added_once_and_what_a_person_changed_stays():
    run("sync_schedules")
    assert PeriodicTask.objects.count() == len(SCHEDULES)
    engine = PeriodicTask.objects.get(task="recovery.tick")
    assert (engine.interval.every, engine.queue, engine.expire_seconds) == (1, "engine", 5)
    PeriodicTask.objects.filter(pk=engine.pk).update(enabled=False)
    assert run("sync_schedules") == ""
    engine.refresh_from_db()
    assert not engine.enabled
