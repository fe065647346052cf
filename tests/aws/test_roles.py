"""Into an account and into no other: role sessions, kept until they near their end."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine

from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Failure
from drportal.aws.roles import credentials_for, forget_session, forget_sessions
from drportal.aws.scope import Account, Scope
from drportal.aws.session import Use, client
from drportal.aws.sts import caller_account
from drportal.observability import correlated
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from tests.worlds import EAST, EXTERNAL_ID, HUB, NORTH, SOUTH, WEST, role, server, world_of

TARGET = Account(NORTH, role(NORTH), EXTERNAL_ID)

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(autouse=True)
def _world(aws) -> None:
    world_of([server("db-1")])


def assumptions() -> int:
    return world.calls.count(operation="AssumeRole")


def test_a_role_leads_into_its_account() -> None:
    assert caller_account(Scope(TARGET, EAST)) == NORTH
    assert caller_account(Scope(Account(HUB), EAST)) == HUB


def test_the_hub_needs_no_session_and_is_asked_once_who_it_is() -> None:
    assert credentials_for(Account(HUB), region=EAST) is None
    assert credentials_for(Account(HUB), region=WEST) is None
    assert world.calls.by_operation() == {"sts:GetCallerIdentity": 1}


def test_a_session_serves_all_regions_and_is_kept() -> None:
    first = credentials_for(TARGET, region=EAST)
    assert credentials_for(TARGET, region=EAST) is first
    assert credentials_for(TARGET, region=WEST) is first
    assert assumptions() == 1


def test_a_session_is_made_anew_before_it_ends() -> None:
    first = credentials_for(TARGET, region=EAST)
    assert first is not None
    with time_machine.travel(first.expires_at - timedelta(minutes=5, seconds=1), tick=False):
        assert credentials_for(TARGET, region=EAST) is first
    with time_machine.travel(first.expires_at - timedelta(minutes=5), tick=False):
        second = credentials_for(TARGET, region=EAST)
    assert second is not None
    assert second.access_key != first.access_key
    assert assumptions() == 2


def test_sessions_are_forgotten_when_asked() -> None:
    credentials_for(TARGET, region=EAST)
    forget_sessions()
    credentials_for(TARGET, region=EAST)
    assert assumptions() == 2


def test_another_role_or_word_is_another_session() -> None:
    credentials_for(TARGET, region=EAST)
    credentials_for(Account(SOUTH, role(SOUTH), EXTERNAL_ID), region=EAST)
    with pytest.raises(AwsError):
        credentials_for(Account(NORTH, role(NORTH), "another-word"), region=EAST)
    assert assumptions() == 3


@pytest.mark.parametrize("word", ["", "a-guess", EXTERNAL_ID.upper()])
def test_the_wrong_external_id_is_refused(word: str) -> None:
    with pytest.raises(AwsError) as raised:
        credentials_for(Account(NORTH, role(NORTH), word), region=EAST)
    assert raised.value.failure is Failure.ACCESS_DENIED
    assert raised.value.context["operation"] == "AssumeRole"
    assert assumptions() == 1  # asked elsewhere, STS would say the same
    if word:
        assert word not in raised.value.detail


def test_a_role_into_another_account_is_refused_and_not_kept() -> None:
    astray = Account(NORTH, role(SOUTH), EXTERNAL_ID)
    for _ in range(2):
        with pytest.raises(
            AwsError, match=f"lead into account {SOUTH}, not into {NORTH}"
        ) as raised:
            list(Drs(Scope(astray, EAST)).source_servers())
        assert raised.value.failure is Failure.CREDENTIALS
    assert world.calls.count(service="drs") == 0
    assert assumptions() == 2


def test_keys_of_another_account_are_no_hub() -> None:
    with pytest.raises(AwsError, match=f"lead into account {HUB}, not into {SOUTH}") as raised:
        list(Drs(Scope(Account(SOUTH), EAST)).source_servers())
    assert raised.value.failure is Failure.CREDENTIALS
    assert world.calls.count(service="drs") == 0


def _sts_fails(kind: Kind, region: str) -> None:
    world.faults.add(Fault(kind, service="sts", region=region))


@pytest.mark.parametrize(
    "kind", [Kind.UNREACHABLE, Kind.TIMEOUT_BEFORE, Kind.SERVER_ERROR, Kind.OPT_IN_REQUIRED]
)
@pytest.mark.parametrize("account", [TARGET, Account(HUB)], ids=["target", "hub"])
def test_sts_is_asked_at_home_when_it_is_away_in_the_region(
    kind: Kind, account: Account, settings, monkeypatch
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    settings.AWS_DEFAULT_REGION = EAST
    _sts_fails(kind, WEST)
    credentials_for(account, region=WEST)
    assert {call.region for call in world.calls.matching(service="sts", outcome="ok")} == {EAST}
    assert world.calls.matching(service="sts")[0].region == WEST


def test_sts_is_asked_in_the_region_itself_first(settings) -> None:
    settings.AWS_DEFAULT_REGION = EAST
    _sts_fails(Kind.UNREACHABLE, EAST)
    credentials_for(TARGET, region=WEST)
    assert {call.region for call in world.calls.matching(service="sts")} == {WEST}


def test_a_refusal_is_not_taken_elsewhere(settings) -> None:
    settings.AWS_DEFAULT_REGION = EAST
    _sts_fails(Kind.ACCESS_DENIED, WEST)
    with pytest.raises(AwsError) as raised:
        credentials_for(TARGET, region=WEST)
    assert raised.value.failure is Failure.ACCESS_DENIED
    assert {call.region for call in world.calls.matching(service="sts")} == {WEST}


def test_sts_away_everywhere_is_said(settings, monkeypatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    settings.AWS_DEFAULT_REGION = EAST
    _sts_fails(Kind.UNREACHABLE, "*")
    for region in (EAST, WEST):
        with pytest.raises(AwsError) as raised:
            credentials_for(TARGET, region=region)
        assert raised.value.failure is Failure.UNREACHABLE


def test_the_session_is_named_after_the_work() -> None:
    with correlated("drill-from-the-button"):
        credentials_for(TARGET, region=EAST)
    [call] = world.calls.matching(operation="AssumeRole")
    assert call.params["RoleSessionName"] == "drportal-drill-from-the-button"
    assert call.user_agent.endswith(" drportal/drill-from-the-button")
    assert call.params["DurationSeconds"] == "3600"


def test_no_secret_is_in_what_is_printed() -> None:
    made = credentials_for(TARGET, region=EAST)
    assert made is not None
    for shown in (repr(made), str(made)):
        assert made.secret_key not in shown
        assert made.token not in shown
    for value in (TARGET, Scope(TARGET, EAST)):
        assert EXTERNAL_ID not in repr(value)
        assert EXTERNAL_ID not in str(value)
    assert str(Scope(TARGET, EAST)) == f"{NORTH}/{EAST}"
    assert Scope(TARGET, EAST).key == (NORTH, EAST)


def test_a_client_is_kept_for_one_service_use_and_scope() -> None:
    scope, elsewhere = Scope(TARGET, EAST), Scope(TARGET, WEST)
    made = client("drs", Use.READ, scope)
    assert client("drs", Use.READ, Scope(Account(NORTH, role(NORTH), EXTERNAL_ID), EAST)) is made
    others = [
        client("drs", Use.WRITE_ONCE, scope),
        client("drs", Use.WRITE, scope),
        client("ec2", Use.READ, scope),
        client("drs", Use.READ, elsewhere),
        client("drs", Use.READ, Scope(Account(SOUTH, role(SOUTH), EXTERNAL_ID), EAST)),
        client("drs", Use.READ, Scope(Account(HUB), EAST)),
    ]
    assert len({id(each) for each in (made, *others)}) == 7


def test_a_client_signs_with_the_newest_credentials_and_is_not_made_anew() -> None:
    scope = Scope(TARGET, EAST)
    made = client("drs", Use.READ, scope)
    made.describe_source_servers()
    forget_session(TARGET)
    assert client("drs", Use.READ, scope) is made
    made.describe_source_servers()
    first, second = world.calls.matching(operation="DescribeSourceServers")
    known = credentials_for(TARGET, region=EAST)
    assert known is not None
    assert first.access_key != second.access_key == known.access_key
    assert {first.account, second.account} == {NORTH}


def test_older_credentials_never_take_the_place_of_newer_ones(monkeypatch) -> None:
    scope = Scope(TARGET, EAST)
    old = credentials_for(TARGET, region=EAST)
    assert old is not None
    soon = replace(old, access_key="ASIAEARLIER", expires_at=old.expires_at - timedelta(seconds=1))
    made = client("drs", Use.READ, scope)
    # A thread that has read them before another came with newer ones.
    monkeypatch.setattr("drportal.aws.session.credentials_for", lambda *_, **__: soon)
    assert client("drs", Use.READ, scope) is made
    made.describe_source_servers()
    [call] = world.calls.matching(operation="DescribeSourceServers")
    assert call.access_key == old.access_key


def test_a_client_is_made_anew_for_another_endpoint(settings) -> None:
    made = client("drs", Use.READ, Scope(TARGET, EAST))
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:9"
    anew = client("drs", Use.READ, Scope(TARGET, EAST))
    assert anew is not made
    assert anew.meta.endpoint_url == "http://127.0.0.1:9"


def test_only_so_many_clients_are_kept(monkeypatch) -> None:
    monkeypatch.setattr("drportal.aws.session._MOST_CLIENTS", 2)
    east, west = Scope(TARGET, EAST), Scope(TARGET, WEST)
    first = client("drs", Use.READ, east)
    client("drs", Use.READ, west)
    assert client("drs", Use.READ, east) is first
    client("ec2", Use.READ, east)  # in the place of the one that was not used for longest
    assert client("drs", Use.READ, east) is first
