"""Every page of the admin, for everybody: what is denied changes nothing."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from audit.models import AuditRecord
from drportal.adminkit.base import PortalAdmin
from drportal.adminkit.site import site
from recovery.models import Execution, RecoveryPlan
from tests.factories.admin import Estate, estate
from tests.factories.checks import ServerCheckFactory
from tests.factories.protection import TargetAccountFactory
from tests.factories.recovery import LaunchJobFactory, WaveFactory, WaveServerFactory
from tests.factories.users import SuperuserFactory, UserFactory, grant

PAGES = list(site._registry.values())
LABELS = [page.opts.label_lower for page in PAGES]

# What object permissions exist on, and what each lets its holder see besides the object itself.
GUARDED = {
    "protection.targetaccount": "protection.view_targetaccount",
    "protection.protectiongroup": "protection.view_protectiongroup",
    "recovery.recoveryplan": "recovery.view_recoveryplan",
}
# Pages of one object that stand behind more than seeing it.
BEYOND_SEEING = {
    "validate",
    "role_template",
    "edit",
    "delete",
    "share",
    "start",
    "start_override",
    "start_options",
    "preflight",
    "copy",
    "restore_version",
    "cancel",
    "pause",
    "lift",
    "retry",
    "skip",
    "skip_server",
    "extend",
    "check_again",
    "pass_check",
    "terminate",
    "failback",
    "failback_gate",
    "failback_leave_out",
    "failback_cancel",
    "gate",
    "approve",
    "approve_override",
    "reject",
    "gate_approve",
    "gate_deny",
    "password",
    "restore",
    "launch_edit",
    "launch_bulk",
    "add_staging",
    "remove_staging",
    "sync_staging",
}
DENIED = {302, 403, 404}


def pages_of(page: PortalAdmin) -> list[tuple[str, str]]:
    """Each of a model's pages, as (short name, full name)."""
    prefix = f"{page.opts.app_label}_{page.opts.model_name}_"
    names = [url.name for url in page.get_urls() if url.name]
    return [(name.removeprefix(prefix), name) for name in names]


def _check_of(execution):
    row = execution.servers.first() or WaveServerFactory.create(
        wave=WaveFactory.create(execution=execution, position=99)
    )
    return (row.checks.first() or ServerCheckFactory.create(server=row)).pk


def _job_of(execution):
    job = execution.jobs.first() or LaunchJobFactory.create(
        wave=WaveFactory.create(execution=execution, position=98)
    )
    return job.pk


# What a page is about besides its object.
MADE = {
    "protection_targetaccount_remove_staging": lambda account: (
        account.staging_accounts.get().account_id
    ),
    "recovery_execution_pass_check": _check_of,
    "recovery_execution_job_log": _job_of,
    "recovery_recoveryplan_preflight_shown": lambda plan: plan.preflights.get().pk,
    "recovery_drillschedule_approve": lambda schedule: schedule.occurrences.get().pk,
    "recovery_drillschedule_decline": lambda schedule: schedule.occurrences.get().pk,
}


def address(short: str, full: str, obj) -> str:
    if short in {"changelist", "add", "installation", "link"}:
        return reverse(f"admin:{full}")
    if short == "run":
        return reverse(f"admin:{full}", args=["INVENTORY"])
    if short == "export":
        return reverse(f"admin:{full}", args=["json"])
    more: dict[str, list[str | int]] = {
        "start": ["drill"],
        "start_override": ["drill"],
        "start_options": ["drill"],
        "gate": [1],
        "failback_gate": ["LAUNCH"],
        "failback_leave_out": ["s-1"],
        "gate_approve": [1],
        "gate_deny": [1],
        "retry": [1],
        "skip": [1],
        "skip_server": [1, "s-0"],
        "extend": [1],
        "check_again": [1],
        "override": [1],
        "restore": [1],
        "version": [1],
        "restore_version": [1, 1],
    }
    if full in MADE:
        more[short] = [str(MADE[full](obj))]
    return reverse(f"admin:{full}", args=[obj.pk, *more.get(short, [])])


EVERY = [
    pytest.param(page.opts.label_lower, short, full, id=full)
    for page in PAGES
    for short, full in pages_of(page)
]


# Sessions come and go; that somebody was refused is recorded, and the record is mirrored.
_NOT_COUNTED = {
    "django_session",
    "django_migrations",
    "audit_auditrecord",
    "mirror_outboxentry",
}


def written() -> tuple[int, ...]:
    """How much there is of what a page could write."""
    tables = connection.introspection.table_names()
    counts = []
    with connection.cursor() as cursor:
        for table in sorted(tables):
            if table in _NOT_COUNTED:
                continue
            cursor.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608  # our own tables
            counts.append(cursor.fetchone()[0])
    return tuple(counts)


@pytest.fixture
def mine(db) -> Estate:
    TargetAccountFactory.create(hub=True)  # whom the templates of roles trust
    return estate()


@pytest.fixture
def other(mine) -> Estate:
    first = Execution.objects.get()
    made = estate()
    assert Execution.objects.exclude(pk=first.pk).count() == 1
    return made


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("page", PAGES, ids=LABELS)
def test_every_page_is_one_of_ours(page):
    assert isinstance(page, PortalAdmin)


@pytest.mark.parametrize("page", PAGES, ids=LABELS)
def test_every_action_names_its_permission(page):
    for function, name, _ in page._get_base_actions():
        assert getattr(function, "allowed_permissions", None), name


@pytest.mark.parametrize("page", PAGES, ids=LABELS)
def test_no_page_saves_or_deletes_past_a_service(page):
    assert "delete_selected" not in dict(site.actions)
    for name in ("save_model", "delete_model", "delete_queryset", "save_related", "save_formset"):
        assert name not in type(page).__dict__, name
    assert not page.inlines
    routed = {url.callback.__name__ for url in page.get_urls()}
    assert not routed & {"change_view", "changeform_view", "response_change"}


def test_only_what_the_portal_registers_has_pages():
    assert set(LABELS) == {
        "audit.auditrecord",
        "mirror.outboxentry",
        "auth.group",
        "auth.user",
        "django_celery_beat.periodictask",
        "protection.launchsettings",
        "protection.protectiongroup",
        "protection.recoveryinstance",
        "protection.sourceserver",
        "protection.stagingaccount",
        "protection.syncrun",
        "protection.tagsyncsettings",
        "protection.targetaccount",
        "recovery.delivery",
        "recovery.drillschedule",
        "recovery.execution",
        "recovery.importrun",
        "recovery.noticechannel",
        "recovery.noticepreference",
        "recovery.recoveryplan",
    }


@pytest.mark.parametrize(("label", "short", "full"), EVERY)
def test_a_superuser_reaches_every_page_that_the_model_has(mine, label, short, full):
    answer = browser_of(SuperuserFactory.create()).get(address(short, full, mine[label]))
    page = next(page for page in PAGES if page.opts.label_lower == label)
    missing = {
        "add": "add" not in page.can,
        "edit": "change" not in page.can,
        "delete": "delete" not in page.can,
        "share": "share" not in page.can,
        "history": "history" not in page.can,
    }
    assert answer.status_code in ({403, 404} if missing.get(short) else {200})


@pytest.mark.parametrize(("label", "short", "full"), EVERY)
def test_somebody_without_permission_gets_nowhere(mine, label, short, full):
    browser = browser_of(UserFactory.create(is_staff=True))
    where = address(short, full, mine[label])
    before = written()
    for method in (browser.get, browser.post):
        assert method(where).status_code in DENIED
    assert written() == before


@pytest.mark.parametrize(("label", "short", "full"), EVERY)
def test_nobody_enters_without_logging_in(mine, label, short, full):
    answer = Client().get(address(short, full, mine[label]))
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")


@pytest.mark.parametrize(("label", "short", "full"), EVERY)
def test_somebody_who_is_no_staff_does_not_enter(mine, label, short, full):
    user = grant(UserFactory.create(), *GUARDED.values())
    answer = browser_of(user).get(address(short, full, mine[label]))
    assert answer.status_code in DENIED


@pytest.mark.parametrize("label", GUARDED)
def test_seeing_one_object_is_seeing_that_one_only(mine, other, label):
    user = grant(UserFactory.create(is_staff=True), GUARDED[label], on=mine[label])
    browser = browser_of(user)
    page = next(page for page in PAGES if page.opts.label_lower == label)
    shown = browser.get(page.link("changelist"))
    assert shown.status_code == 200
    assert str(mine[label].pk) in shown.content.decode()
    assert str(other[label].pk) not in shown.content.decode()
    before = written()
    for short, full in pages_of(page):
        own = browser.get(address(short, full, mine[label])).status_code
        if short in BEYOND_SEEING | {"add"}:
            assert own == 403, short
        else:
            assert own == 200, short
        if short not in {"changelist", "add"}:
            for method in (browser.get, browser.post):
                assert method(address(short, full, other[label])).status_code == 404, short
    assert written() == before


SHARED = [
    pytest.param(page, name, id=name) for page in PAGES for name, _ in page.shared_permissions
]


@pytest.mark.parametrize(("page", "name"), SHARED)
def test_whoever_may_do_anything_to_an_object_sees_it_and_no_other(mine, other, page, name):
    label = page.opts.label_lower
    user = grant(UserFactory.create(is_staff=True), f"{page.opts.app_label}.{name}", on=mine[label])
    browser = browser_of(user)
    shown = browser.get(page.link("changelist")).content.decode()
    assert str(mine[label].pk) in shown
    assert str(other[label].pk) not in shown
    assert browser.get(page.link("change", mine[label])).status_code == 200
    assert browser.get(page.link("change", other[label])).status_code == 404


def test_whoever_sees_one_plan_sees_its_executions_and_no_others(mine, other):
    user = grant(
        UserFactory.create(is_staff=True),
        "recovery.view_recoveryplan",
        on=mine["recovery.recoveryplan"],
    )
    browser = browser_of(user)
    shown = browser.get(reverse("admin:recovery_execution_changelist")).content.decode()
    assert str(mine["recovery.execution"].pk) in shown
    assert str(other["recovery.execution"].pk) not in shown
    for name in ("change", "live"):
        link = f"admin:recovery_execution_{name}"
        assert browser.get(reverse(link, args=[mine["recovery.execution"].pk])).status_code == 200
        assert browser.get(reverse(link, args=[other["recovery.execution"].pk])).status_code == 404


def test_whoever_sees_one_account_sees_its_servers_and_no_others(mine, other):
    user = grant(
        UserFactory.create(is_staff=True),
        "protection.view_targetaccount",
        on=mine["protection.targetaccount"],
    )
    browser = browser_of(user)
    shown = browser.get(reverse("admin:protection_sourceserver_changelist")).content.decode()
    assert mine["protection.sourceserver"].name in shown
    assert other["protection.sourceserver"].name not in shown
    assert other["protection.targetaccount"].account_id not in shown


def test_the_first_page_shows_only_what_one_may_see(mine, other):
    user = grant(
        UserFactory.create(is_staff=True),
        "recovery.view_recoveryplan",
        on=mine["recovery.recoveryplan"],
    )
    shown = browser_of(user).get(reverse("admin:index")).content.decode()
    assert mine["recovery.recoveryplan"].name in shown
    assert other["recovery.recoveryplan"].name not in shown


@pytest.mark.parametrize("app", ["protection", "recovery", "auth"])
def test_an_apps_own_page_lists_only_what_one_may_see(mine, app):
    link = reverse("admin:app_list", args=[app])
    assert browser_of(SuperuserFactory.create()).get(link).status_code == 200
    assert browser_of(UserFactory.create(is_staff=True)).get(link).status_code == 404


def test_the_search_of_pages_names_only_what_one_may_see(mine):
    link = reverse("admin:search") + "?s=plan"
    shown = browser_of(SuperuserFactory.create()).get(link).content.decode()
    assert "recoveryplan" in shown
    hidden = browser_of(UserFactory.create(is_staff=True)).get(link).content.decode()
    assert "recoveryplan" not in hidden


def test_denied_starts_leave_no_execution(mine):
    plan: RecoveryPlan = mine["recovery.recoveryplan"]
    Execution.objects.all().delete()
    user = grant(UserFactory.create(is_staff=True), "recovery.view_recoveryplan", on=plan)
    answer = browser_of(user).post(
        reverse("admin:recovery_recoveryplan_start", args=[plan.pk, "drill"]), {"reason": "x"}
    )
    assert answer.status_code == 403
    assert Execution.objects.count() == 0
    told = AuditRecord.objects.latest("id")
    assert (told.event, told.outcome) == ("admin.recovery_recoveryplan_start", "REFUSED")
    assert told.facts["code"] == "forbidden"
