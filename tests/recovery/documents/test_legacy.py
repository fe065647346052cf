"""Documents of the reference system: all that can be carried over is, and the rest is told."""

from typing import Any

import pytest

from recovery.documents import legacy, schema

S1, S2, S3 = (f"s-{number:017x}" for number in (1, 2, 3))
GROUP: dict[str, Any] = {
    "groupName": "Databases",
    "description": "all of them",
    "region": "us-east-1",
    "accountId": "210000000001",
    "assumeRoleName": "DrRole",
    "sourceServerIds": [S2, S1],
}
PLAN: dict[str, Any] = {
    "planName": "Everything",
    "accountId": "210000000001",
    "notificationEmail": "dr@example.com",
    "waves": [
        {"waveNumber": 0, "waveName": "Data", "protectionGroupName": "Databases"},
        {
            "waveNumber": 1,
            "waveDescription": "Is the data there?",
            "protectionGroupName": "Databases",
            "pauseBeforeWave": True,
            "dependsOnWaves": [0],
        },
    ],
}


def translated(**document: Any) -> legacy.Reading:
    return legacy.translated(document, legacy.Known())


def codes(notes: list[dict[str, str]]) -> set[str]:
    return {note["code"] for note in notes}


@pytest.mark.parametrize(
    "version",
    [{"metadata": {"schemaVersion": "1.0"}}, {"metadata": {"schemaVersion": "1.1"}}, {}],
    ids=["1.0", "1.1", "none"],
)
def test_every_version_of_it_becomes_ours(version):
    made = translated(**version, protectionGroups=[GROUP], recoveryPlans=[PLAN])
    assert made.errors == []
    assert schema.complaints(made.document) == []
    assert ("MISSING_SCHEMA_VERSION" in codes(made.warnings)) == (not version)


def test_another_version_is_refused():
    made = translated(metadata={"schemaVersion": "7"}, protectionGroups=[GROUP])
    assert codes(made.errors) == {"UNSUPPORTED_SCHEMA_VERSION"}


def test_ours_is_not_taken_for_theirs():
    assert not legacy.is_legacy({"schema_version": schema.VERSION, "groups": []})
    assert not legacy.is_legacy({"groups": []})
    assert legacy.is_legacy({"recoveryPlans": []})


def test_accounts_are_read_out_of_groups():
    made = translated(protectionGroups=[GROUP])
    assert made.document["accounts"] == [
        {
            "account_id": "210000000001",
            "name": "Account 210000000001",
            "role_arn": "arn:aws:iam::210000000001:role/DrRole",
        }
    ]


def test_two_roles_for_one_account_are_told():
    made = translated(
        protectionGroups=[GROUP, GROUP | {"groupName": "b", "assumeRoleName": "Other"}]
    )
    assert codes(made.warnings) >= {"ROLE_CONFLICT"}
    assert made.document["accounts"][0]["role_arn"].endswith("/DrRole")


def test_a_tag_group_stays_one_although_it_lists_servers_too():
    tags = {"Tier": "db"}
    (group,) = translated(protectionGroups=[GROUP | {"serverSelectionTags": tags}]).document[
        "groups"
    ]
    assert group["tags"] == tags
    assert "server_ids" not in group


def test_a_group_that_chooses_nothing_is_refused():
    made = translated(protectionGroups=[GROUP | {"sourceServerIds": []}])
    assert codes(made.errors) == {"NO_SELECTION_METHOD"}


def test_a_group_without_an_account_is_refused():
    made = translated(protectionGroups=[{**GROUP, "accountId": ""}])
    assert codes(made.errors) == {"MISSING_ACCOUNT_ID"}


def test_waves_are_counted_from_one_and_gates_keep_their_words():
    made = translated(protectionGroups=[GROUP], recoveryPlans=[PLAN])
    (plan,) = made.document["plans"]
    first, second = plan["waves"]
    assert (first["name"], first["depends_on"], first["gate"]) == ("Data", [], False)
    assert (second["name"], second["depends_on"], second["gate"]) == ("Wave 2", [1], True)
    assert second["gate_instructions"] == "Is the data there?"
    assert plan["notification_addresses"] == ["dr@example.com"]


def test_waves_may_be_numbered_with_gaps():
    waves = [
        {"waveNumber": 10, "protectionGroupName": "Databases"},
        {"waveNumber": 20, "protectionGroupName": "Databases", "dependsOnWaves": [10]},
    ]
    made = translated(protectionGroups=[GROUP], recoveryPlans=[PLAN | {"waves": waves}])
    assert [wave["depends_on"] for wave in made.document["plans"][0]["waves"]] == [[], [1]]


@pytest.mark.parametrize("needs", [[5], ["x"], [[0]], "zero"])
def test_a_wave_that_waits_for_nobody_we_know_is_refused(needs):
    waves = [PLAN["waves"][0] | {"dependsOnWaves": needs}]
    made = translated(protectionGroups=[GROUP], recoveryPlans=[PLAN | {"waves": waves}])
    assert codes(made.errors) == {"INVALID_WAVE_DATA"}


@pytest.mark.parametrize(
    ("listed", "subset"),
    [([S1, S2], []), ([S2], [S2]), ([], []), ([S3], [])],
    ids=["all of them", "some", "none", "strangers"],
)
def test_only_a_real_choice_of_servers_becomes_a_subset(listed, subset):
    """The reference system copies all servers of a group into each wave that chose none (D49)."""
    waves = [PLAN["waves"][0] | {"serverIds": listed}]
    made = translated(protectionGroups=[GROUP], recoveryPlans=[PLAN | {"waves": waves}])
    assert made.document["plans"][0]["waves"][0]["groups"] == [
        {"group": "Databases", "server_ids": subset}
    ]


def test_every_group_of_a_wave_is_carried_over():
    """The reference system keeps the first group of a wave and drops the rest (D34)."""
    other = GROUP | {"groupName": "Web", "sourceServerIds": [S3]}
    waves = [{"waveNumber": 0, "protectionGroupNames": ["Databases", "Web"]}]
    made = translated(protectionGroups=[GROUP, other], recoveryPlans=[PLAN | {"waves": waves}])
    groups = made.document["plans"][0]["waves"][0]["groups"]
    assert [group["group"] for group in groups] == ["Databases", "Web"]


def server(**more: Any) -> dict[str, Any]:
    return {"sourceServerId": S1, "useGroupDefaults": True, "launchTemplate": {}} | more


def test_servers_settings_are_carried_over_with_how_they_combine():
    servers = [
        server(launchTemplate={"instanceType": "m5.large", "subnetId": None}),
        server(
            sourceServerId=S2, useGroupDefaults=False, launchTemplate={"instanceType": "c5.large"}
        ),
    ]
    (group,) = translated(protectionGroups=[GROUP | {"servers": servers}]).document["groups"]
    assert group["servers"] == [
        {"server_id": S1, "combination": "ADD", "launch_settings": {"instanceType": "m5.large"}},
        {
            "server_id": S2,
            "combination": "REPLACE",
            "launch_settings": {"instanceType": "c5.large"},
        },
    ]


def test_a_server_may_be_named_by_its_instance():
    servers = [server(sourceServerId=None, instanceId="i-1", launchTemplate={"instanceType": "x1"})]
    asked = []

    def server_of(*where: str) -> str:
        asked.append(where)
        return S3

    made = legacy.translated(
        {"protectionGroups": [GROUP | {"servers": servers}]}, legacy.Known(server_of=server_of)
    )
    assert asked == [("210000000001", "us-east-1", "i-1")]
    assert made.document["groups"][0]["servers"][0]["server_id"] == S3


def test_an_instance_that_nobody_knows_is_told():
    servers = [server(sourceServerId=None, instanceId="i-1", launchTemplate={"instanceType": "x1"})]
    made = translated(protectionGroups=[GROUP | {"servers": servers}])
    assert "INSTANCE_NOT_IN_DRS" in codes(made.warnings)
    assert made.document["groups"][0]["servers"] == []


def test_a_server_without_any_name_is_refused():
    servers = [server(sourceServerId=None)]
    made = translated(protectionGroups=[GROUP | {"servers": servers}])
    assert codes(made.errors) == {"MISSING_SERVER_IDENTIFICATION"}


def test_one_address_for_two_servers_is_refused():
    address = {"staticPrivateIp": "10.0.0.9", "subnetId": "subnet-12345678"}
    servers = [server(launchTemplate=address), server(sourceServerId=S2, launchTemplate=address)]
    made = translated(protectionGroups=[GROUP | {"servers": servers}])
    assert codes(made.errors) == {"DUPLICATE_IP_IN_MANIFEST"}


def test_an_address_without_a_subnet_is_told():
    servers = [server(launchTemplate={"staticPrivateIp": "10.0.0.9"})]
    made = translated(protectionGroups=[GROUP | {"servers": servers}])
    assert "MISSING_SUBNET" in codes(made.warnings)


def test_what_was_never_applied_there_is_left_out_and_told():
    config = {"bootMode": "UEFI", "instanceType": "m5.large"}
    made = translated(protectionGroups=[GROUP | {"launchConfig": config}])
    assert made.document["groups"][0]["launch_settings"] == {"instanceType": "m5.large"}
    assert "FIELD_NOT_HELD" in codes(made.warnings)


def test_a_plan_without_waves_is_told():
    made = translated(recoveryPlans=[PLAN | {"waves": []}])
    assert "EMPTY_WAVES" in codes(made.warnings)


@pytest.mark.parametrize("odd", [None, 5, "text", [1], {"a": 1}])
@pytest.mark.parametrize(
    "member",
    ["groupName", "region", "sourceServerIds", "servers", "serverSelectionTags", "launchConfig"],
)
def test_no_oddity_passes_or_breaks_it(member, odd):
    made = translated(protectionGroups=[GROUP | {member: odd}])
    assert isinstance(made.errors or schema.complaints(made.document), list)
