from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drportal.aws.drs import parse_duration, parse_time
from drportal.errors import InvalidInput
from protection.choices import Readiness
from protection.models import SourceServer
from protection.rules.facts import facts, fingerprint
from protection.rules.readiness import verdict
from protection.rules.selection import checked, matching
from tests.factories.protection import SourceServerFactory, TargetAccountFactory

FINE = {
    "replication_state": "CONTINUOUS",
    "first_synced": True,
    "staging_status": "",
    "staging_error": "",
    "gone": False,
}


@pytest.mark.parametrize(
    ("facts_", "expected"),
    [
        ({}, Readiness.READY),
        ({"replication_state": "BACKLOG"}, Readiness.LAGGING),
        ({"replication_state": "STALLED"}, Readiness.LAGGING),
        ({"replication_state": "STALLED", "first_synced": False}, Readiness.NOT_READY),
        ({"replication_state": "INITIAL_SYNC", "first_synced": False}, Readiness.NOT_READY),
        ({"replication_state": "DISCONNECTED"}, Readiness.NOT_READY),
        ({"replication_state": "STOPPED"}, Readiness.NOT_READY),
        ({"staging_status": "EXTENSION_ERROR", "staging_error": "x"}, Readiness.NOT_READY),
        ({"gone": True}, Readiness.NOT_READY),
        ({"replication_state": ""}, Readiness.UNKNOWN),
        ({"replication_state": "A_NEW_WORD"}, Readiness.UNKNOWN),
    ],
)
def test_readiness(facts_, expected):
    found = verdict(**(FINE | facts_))
    assert found.readiness == expected
    assert bool(found.reason) == (expected != Readiness.READY)


def test_the_barest_answer_of_drs_has_facts():
    found = facts({"sourceServerID": "s-1"})
    assert found["name"] == "s-1"
    assert found["lag"] is None
    assert found["cpu_cores"] is None
    assert set(found) < {field.name for field in SourceServer._meta.get_fields()}


def test_equal_facts_have_equal_fingerprints_and_others_do_not():
    one = {"sourceServerID": "s-1", "tags": {"a": "1", "b": "2"}}
    other = {"tags": {"b": "2", "a": "1"}, "sourceServerID": "s-1"}
    assert fingerprint(facts(one)) == fingerprint(facts(other))
    lagging = one | {"dataReplicationInfo": {"lagDuration": "PT5M"}}
    assert fingerprint(facts(one)) != fingerprint(facts(lagging))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P0D", timedelta(0)),
        ("PT5M", timedelta(minutes=5)),
        ("P2DT1H32M12.5S", timedelta(days=2, hours=1, minutes=32, seconds=12.5)),
        (None, None),
        ("", None),
        ("P", None),
        ("soon", None),
    ],
)
def test_durations(text, expected):
    assert parse_duration(text) == expected


def test_times_of_either_spelling():
    assert parse_time("2024-09-16T04:42:46.324841+00:00") == parse_time(
        "2024-09-16T04:42:46.324841Z"
    )
    assert parse_time(None) is None


words = st.sampled_from(["a", "A", "b", ""])
tag_sets = st.dictionaries(st.sampled_from(["Tier", "tier", "Env"]), words, max_size=3)


@pytest.mark.django_db
@settings(deadline=None)  # a database answers as fast as the machine lets it
@given(tag_sets, tag_sets)
def test_the_one_matcher_wants_every_pair_exactly(wanted, had):
    account = TargetAccountFactory.create()
    found = SourceServerFactory.create(account=account, tags=had)
    chosen = SourceServer.objects.filter(matching(wanted), pk=found.pk).exists()
    assert chosen == (bool(wanted) and wanted.items() <= had.items())
    found.delete()
    account.delete()


@pytest.mark.parametrize("bad", [[], "x", {"k": 1}, {1: "v"}, {" ": "v"}, {"k": "v" * 257}])
def test_what_cannot_be_tags_is_refused(bad):
    with pytest.raises(InvalidInput):
        checked(bad)
