"""Launch settings over the API: under the paths, and with the words, of the reference system."""

from typing import Any

import pytest

from protection.choices import ApplyState, Combination
from protection.models import GroupHold, LaunchApply, LaunchSettings
from protection.services import launch_apply
from tests.api.world import World
from tests.factories.users import UserFactory, grant
from tests.protection.launch_world import Place, carried_out, place_of
from tests.world_fixtures import aws
from tests.worlds import known

__all__ = ["aws"]

pytestmark = pytest.mark.django_db(transaction=True)
INSTALLATION = "/api/v1/config/launch-settings"


@pytest.fixture
def place(aws) -> Place:
    return place_of()


@pytest.fixture
def base(place) -> str:
    return f"/api/v1/protection-groups/{place.group.pk}"


def _of(base: str, name: str = "web-1") -> str:
    return f"{base}/servers/{known(name).server_id}/launch-config"


def _put(client: Any, path: str, **body: Any) -> Any:
    return client.put(path, {"version": 0, **body}, format="json")


def test_a_servers_settings_are_set_shown_and_cleared(root, place, base) -> None:
    group = _put(root, f"{base}/launch-config", launchConfig={"subnetId": place.subnet})
    assert (group.status_code, group.json()["version"]) == (200, 1)
    answer = _put(root, _of(base), launchTemplate={"staticPrivateIp": "10.9.1.7"})
    assert answer.status_code == 200
    said = answer.json()
    assert (said["useGroupDefaults"], said["isCustom"], said["version"]) == (True, True, 1)
    assert said["launchTemplate"] == {"staticPrivateIp": "10.9.1.7"}
    assert said["effectiveConfig"] == {
        "copyPrivateIp": False,
        "staticPrivateIp": "10.9.1.7",
        "subnetId": place.subnet,
    }
    assert said["origins"]["subnetId"]["level"] == "GROUP"
    assert said["origins"]["copyPrivateIp"] == {
        "value": False,
        "level": "SERVER",
        "because": "staticPrivateIp",
    }
    assert root.get(_of(base)).json() == said
    by_row = f"{base}/servers/{known('web-1').pk}/launch-config"
    assert root.get(by_row).json() == said
    assert root.delete(_of(base) + "?version=9").status_code == 409
    assert root.delete(_of(base) + "?version=1").status_code == 204
    after = root.get(_of(base)).json()
    assert (after["isCustom"], after["launchTemplate"], after["version"]) == (False, {}, 2)


def test_a_server_may_replace_what_its_group_sets(root, place, base) -> None:
    _put(root, INSTALLATION, launchConfig={"copyTags": True})
    _put(root, f"{base}/launch-config", launchConfig={"launchDisposition": "STOPPED"})
    said = _put(
        root, _of(base), useGroupDefaults=False, launchTemplate={"recoveryMode": "FAST"}
    ).json()
    assert said["useGroupDefaults"] is False
    assert said["effectiveConfig"] == {"copyTags": True, "recoveryMode": "FAST"}
    row = LaunchSettings.objects.get(server=known("web-1"))
    assert row.combination == Combination.REPLACE


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"staticPrivateIp": "10.9.1.3"}, "IP_RESERVED"),
        ({"keyName": "mine"}, "BLOCKED_FIELDS_PRESENT"),
        ({"instanceType": "m5.enormous"}, "INSTANCE_TYPE_UNAVAILABLE"),
        ({"whatever": 1}, "UNKNOWN_FIELDS_PRESENT"),
    ],
)
def test_what_cannot_be_is_refused_by_field_and_nothing_is_saved(
    root, place, base, world, values, code
) -> None:
    _put(root, f"{base}/launch-config", launchConfig={"subnetId": place.subnet})
    with world.unchanged():
        answer = _put(root, _of(base), launchTemplate=values)
    said = answer.json()
    assert (answer.status_code, said["error"]) == (400, "INVALID_LAUNCH_CONFIG")
    [name] = values
    assert (said["errors"][0]["field"], said["errors"][0]["code"]) == (
        f"launchTemplate.{name}",
        code,
    )


def test_a_stale_version_is_refused(root, place, base, world) -> None:
    _put(root, _of(base), launchTemplate={"copyTags": True})
    with world.unchanged():
        answer = _put(root, _of(base), launchTemplate={"copyTags": False})
    said = answer.json()
    assert (answer.status_code, said["error"]) == (409, "VERSION_CONFLICT")
    assert said["context"] == {"yours": 0, "current": 1}


def test_a_group_that_is_needed_as_it_is_keeps_its_settings(root, place, base, world) -> None:
    _put(root, _of(base), launchTemplate={"copyTags": True})
    GroupHold.objects.create(group=place.group, holder_id=place.group.pk, holder="a drill")
    with world.unchanged():
        answers = [
            _put(root, _of(base), version=1, launchTemplate={}),
            _put(root, f"{base}/launch-config", launchConfig={"copyTags": True}),
            root.delete(_of(base)),
            root.post(f"{base}/apply-launch-configs"),
        ]
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]) == (409, "PG_IN_ACTIVE_EXECUTION")


def test_a_write_with_a_key_is_done_once_and_asks_aws_outside_its_transaction(
    root, place, base
) -> None:
    def put() -> Any:
        return root.put(
            f"{base}/launch-config",
            {"version": 0, "launchConfig": {"subnetId": place.subnet}},
            format="json",
            headers={"Idempotency-Key": "one"},
        )

    first, again = put(), put()
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json() == again.json()
    assert LaunchSettings.objects.get().version == 1


def test_many_are_set_or_none(root, place, base, world) -> None:
    entries: list[dict[str, Any]] = [
        {
            "sourceServerId": known(name).server_id,
            "version": 0,
            "launchTemplate": {"subnetId": place.subnet, "staticPrivateIp": ip},
        }
        for name, ip in (("web-1", "10.9.1.7"), ("web-2", "10.9.1.7"))
    ]
    with world.unchanged():
        answer = root.post(f"{base}/servers/bulk-launch-config", {"servers": entries})
    codes = {each["field"]: each["code"] for each in answer.json()["errors"]}
    assert (answer.status_code, codes) == (
        400,
        {f"servers[{n}].launchTemplate.staticPrivateIp": "DUPLICATE_IP_IN_BATCH" for n in range(2)},
    )
    entries[1]["launchTemplate"]["staticPrivateIp"] = "10.9.1.8"
    saved = root.post(f"{base}/servers/bulk-launch-config", {"servers": entries})
    assert saved.status_code == 200
    assert [each["effectiveConfig"]["staticPrivateIp"] for each in saved.json()["servers"]] == [
        "10.9.1.7",
        "10.9.1.8",
    ]


def test_many_must_all_be_in_the_group_and_each_once(root, base, world) -> None:
    one = {"sourceServerId": known("web-1").server_id, "version": 0, "launchTemplate": {}}
    stranger = {**one, "sourceServerId": "s-00000000000000000"}
    with world.unchanged():
        answer = root.post(f"{base}/servers/bulk-launch-config", {"servers": [one, one, stranger]})
    codes = [(each["field"], each["code"]) for each in answer.json()["errors"]]
    assert codes == [("servers[1]", "server_twice"), ("servers[2]", "server_not_here")]


def test_an_address_is_looked_at_where_the_group_is(root, place, base) -> None:
    path = _of(base).replace("launch-config", "validate-ip")
    asked = {"staticPrivateIp": "10.9.1.30", "subnetId": place.subnet}
    assert root.post(path, asked).json() == {**asked, "valid": True, "errors": []}
    place.aws("ec2").create_network_interface(
        SubnetId=place.subnet, PrivateIpAddress="10.9.1.30", Description="a balancer"
    )
    said = root.post(path, asked).json()
    assert said["valid"] is False
    [error] = said["errors"]
    assert error["code"] == "IP_IN_USE"
    assert error["conflictingResource"]["type"] == "network-interface"
    without = root.post(path, {"staticPrivateIp": "10.9.1.31"}).json()
    assert [each["code"] for each in without["errors"]] == ["MISSING_SUBNET"]


def test_apply_runs_in_the_background_and_its_progress_is_told(root, place, base) -> None:
    place.set_group(copyTags=True)
    before = root.get(f"{base}/launch-config-status").json()
    assert (before["status"], before["totalCount"]) == ("pending", 0)
    answer = root.post(f"{base}/apply-launch-configs")
    said = answer.json()
    assert (answer.status_code, said["groupId"]) == (202, str(place.group.pk))
    asked = root.get(answer.headers["Location"]).json()
    assert (asked["status"], asked["syncJobId"], asked["totalCount"], asked["percentage"]) == (
        "pending",
        said["syncJobId"],
        2,
        0,
    )
    again = root.post(f"{base}/apply-launch-configs")
    assert (again.status_code, again.json()["error"]) == (409, "SYNC_IN_PROGRESS")
    carried_out(LaunchApply.objects.get().pk)
    done = root.get(f"{base}/launch-config-status").json()
    assert (done["status"], done["percentage"], done["appliedServers"]) == ("ready", 100, 2)
    assert (done["appliedBy"], done["requestedBy"]) == ("root", "root")
    one = done["serverConfigs"][known("web-1").server_id]
    assert (one["status"], one["drift"], one["errors"]) == ("ready", "IN_STEP", [])
    assert one["configHash"].startswith("sha256:")


def test_a_pending_apply_is_given_up_by_force(root, place, base) -> None:
    place.set_group(copyTags=True)
    first = root.post(f"{base}/apply-launch-configs").json()["syncJobId"]
    second = root.post(f"{base}/apply-launch-configs", {"force": True}).json()["syncJobId"]
    states = dict(LaunchApply.objects.values_list("pk", "state"))
    assert {str(pk): state for pk, state in states.items()} == {
        first: ApplyState.ABANDONED,
        second: ApplyState.PENDING,
    }


def test_nothing_to_apply_is_said(root, base, world) -> None:
    with world.unchanged():
        for path in ("apply-launch-configs", "retry-launch-configs"):
            answer = root.post(f"{base}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (
                400,
                "protection.nothing_to_apply",
            )


def test_history_tells_who_changed_what_and_restores(root, place, base) -> None:
    _put(root, _of(base), launchTemplate={"copyTags": True})
    _put(root, _of(base), version=1, launchTemplate={"copyTags": False})
    newest, first = root.get(f"{_of(base)}/history").json()["results"]
    assert (newest["number"], newest["created_by"]) == (2, "root")
    assert newest["changes"] == [{"field": "values.copyTags", "old": True, "new": False}]
    assert first["document"]["values"] == {"copyTags": True}
    restored = root.post(f"{_of(base)}/restore", {"number": 1, "version": 2})
    assert restored.json()["launchTemplate"] == {"copyTags": True}
    assert restored.json()["version"] == 3
    assert root.post(f"{_of(base)}/restore", {"number": 9, "version": 3}).status_code == 404


def test_the_installation_is_set_shown_and_restored(root, world) -> None:
    assert root.get(INSTALLATION).json()["version"] == 0
    said = _put(root, INSTALLATION, launchConfig={"copyTags": True}).json()
    assert (said["launchConfig"], said["version"]) == ({"copyTags": True}, 1)
    with world.unchanged():
        refused = _put(root, INSTALLATION, launchConfig={"subnetId": "subnet-0123abcd"}, version=1)
    assert refused.json()["errors"][0]["code"] == "FIELD_NOT_AT_THIS_LEVEL"
    _put(root, INSTALLATION, version=1, launchConfig={})
    restored = root.post(f"{INSTALLATION}/restore", {"number": 1, "version": 2}).json()
    assert (restored["launchConfig"], restored["version"]) == ({"copyTags": True}, 3)
    numbers = [each["number"] for each in root.get(f"{INSTALLATION}/history").json()["results"]]
    assert numbers == [3, 2, 1]


def test_only_those_who_may_change_the_group_do(client_of, place, base) -> None:
    watcher = client_of(
        grant(UserFactory.create(), "protection.view_protectiongroup", on=place.group)
    )
    stranger = client_of(UserFactory.create())
    writes: list[tuple[str, str, Any]] = [
        ("put", f"{base}/launch-config", {"version": 0, "launchConfig": {"copyTags": True}}),
        ("put", _of(base), {"version": 0, "launchTemplate": {"copyTags": True}}),
        ("delete", _of(base), None),
        ("post", f"{base}/launch-config/restore", {"version": 0, "number": 1}),
        ("post", f"{_of(base)}/restore", {"version": 0, "number": 1}),
        ("post", f"{base}/servers/bulk-launch-config", {"servers": []}),
        ("post", f"{base}/apply-launch-configs", None),
        ("post", f"{base}/retry-launch-configs", None),
        ("post", f"{base}/check-drift", None),
    ]
    reads = [f"{base}/launch-config", _of(base), f"{base}/launch-config-status"]
    reads += [f"{base}/launch-config/history", f"{_of(base)}/history"]
    with World().unchanged():
        for method, path, body in writes:
            assert getattr(watcher, method)(path, body, format="json").status_code == 403, path
            assert getattr(stranger, method)(path, body, format="json").status_code == 404, path
        for path in reads:
            assert watcher.get(path).status_code == 200, path
            assert stranger.get(path).status_code == 404, path
        assert stranger.get(INSTALLATION).status_code == 403
        assert _put(watcher, INSTALLATION, launchConfig={}).status_code == 403


def test_drift_is_looked_for_in_the_background(root, place, base, monkeypatch) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "protection.services.launch_drift.hint", lambda task, **ids: asked.append((task, ids))
    )
    answer = root.post(f"{base}/check-drift")
    assert answer.status_code == 202
    assert asked == [("protection.check_launch_drift", {"group_id": str(place.group.pk)})]
    assert launch_apply.due() == []


def test_settings_sent_along_with_a_new_group_are_refused_not_lost(root, place, world) -> None:
    body = {
        "name": "Another",
        "account": str(place.group.account_id),
        "region": place.group.region,
        "tags": {"Tier": "app"},
        "servers": [{"sourceServerId": "s-1", "launchTemplate": {}}],
    }
    with world.unchanged():
        answer = root.post("/api/v1/protection-groups", body)
    assert answer.status_code == 400
    assert "servers" in {each["field"] for each in answer.json()["errors"]}
