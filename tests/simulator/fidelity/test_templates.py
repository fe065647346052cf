"""Account templates and launch actions: what they start with, change, and pass on to servers."""

from datetime import timedelta
from typing import Any

import pytest

from drportal.simulator.world import world
from tests.simulator.fidelity.acts_settings import ACTION, PIT_POLICY
from tests.simulator.fidelity.estate import add, backend_of, server_id

LCT = "launchConfigurationTemplateID"


def action(resource: str, **changes: Any) -> dict[str, Any]:
    return {
        "resourceId": resource,
        "actionCode": "AWS-RunShellScript",
        "order": 2,
        "actionId": ACTION,
        "optional": False,
        "active": True,
        "name": "check",
        "actionVersion": "1",
        "category": "OTHER",
        "description": "",
    } | changes


@pytest.fixture
def template(player):
    return player.call("CreateLaunchConfigurationTemplate", tags={"Owner": "dr"})[
        "launchConfigurationTemplate"
    ]


def test_a_template_starts_with_defaults_and_its_tags(player, template):
    assert template["launchDisposition"] == "STARTED"
    assert template["copyTags"] is False
    assert template["tags"] == {"Owner": "dr"}
    assert player.call("ListTagsForResource", resourceArn=template["arn"])["tags"] == {
        "Owner": "dr"
    }
    assert player.call("DescribeLaunchConfigurationTemplates")["items"] == [template]


def test_an_update_changes_what_it_names_and_no_server(player, template):
    before = player.call("GetLaunchConfiguration", sourceServerID=server_id("web-1"))

    changed = player.call(
        "UpdateLaunchConfigurationTemplate", **{LCT: template[LCT]}, launchDisposition="STOPPED"
    )

    assert changed["launchConfigurationTemplate"] == template | {"launchDisposition": "STOPPED"}
    after = player.call("GetLaunchConfiguration", sourceServerID=server_id("web-1"))
    assert after["launchDisposition"] == before["launchDisposition"] == "STARTED"


def test_a_new_server_gets_the_templates_settings_and_actions(player, template):
    own = {LCT: template[LCT]}
    player.call("UpdateLaunchConfigurationTemplate", **own, copyTags=True, postLaunchEnabled=True)
    player.call("PutLaunchAction", **action(template[LCT]))

    server = add("late-1")

    settings = player.call("GetLaunchConfiguration", sourceServerID=server)
    assert settings["copyTags"] is True
    assert settings["postLaunchEnabled"] is True
    copied = player.call("ListLaunchActions", resourceId=server)["items"]
    assert [each["actionId"] for each in copied] == [ACTION]
    player.call("DeleteLaunchAction", resourceId=server, actionId=ACTION)
    assert player.call("ListLaunchActions", resourceId=template[LCT])["items"]


def test_a_deleted_template_takes_its_tags_and_actions_along(player, template):
    player.call("PutLaunchAction", **action(template[LCT]))
    player.call("DeleteLaunchConfigurationTemplate", **{LCT: template[LCT]})

    assert player.call("DescribeLaunchConfigurationTemplates")["items"] == []
    assert template["arn"] not in backend_of().tags
    assert template[LCT] not in backend_of().launch_actions
    player.refused("ListLaunchActions", "ResourceNotFoundException", resourceId=template[LCT])


def test_a_replication_template_reaches_new_servers(player):
    player.call(
        "CreateReplicationConfigurationTemplate",
        stagingAreaSubnetId="subnet-01234567",
        replicationServersSecurityGroupsIDs=["sg-01234567"],
        ebsEncryption="NONE",
        bandwidthThrottling=7,
        stagingAreaTags={"Area": "staging"},
        pitPolicy=PIT_POLICY,
    )

    found = player.call("GetReplicationConfiguration", sourceServerID=add("late-1"))

    assert found["bandwidthThrottling"] == 7
    assert found["stagingAreaSubnetId"] == "subnet-01234567"
    assert found["stagingAreaTags"] == {"Area": "staging"}
    assert found["pitPolicy"] == PIT_POLICY


def test_actions_are_listed_in_their_order_and_replaced_by_id(player):
    resource = server_id("web-1")
    first, second = ACTION, ACTION.replace("0", "1")
    player.call("PutLaunchAction", **action(resource, order=9))
    player.call("PutLaunchAction", **action(resource, order=5, actionId=second))
    player.call("PutLaunchAction", **action(resource, order=3, name="changed"))

    items = player.call("ListLaunchActions", resourceId=resource)["items"]

    assert [(each["actionId"], each["order"]) for each in items] == [(first, 3), (second, 5)]
    assert items[0]["name"] == "changed"
    assert {each["type"] for each in items} == {"SSM_COMMAND"}


def test_an_automation_is_recognized(player):
    made = player.call(
        "PutLaunchAction", **action(server_id("web-1"), actionCode="AWS-CreateImage")
    )
    assert made["type"] == "SSM_AUTOMATION"


def test_a_resource_holds_so_many_actions_and_no_more(player):
    world.settings.quotas.launch_actions_per_resource = 1
    resource = server_id("web-1")
    player.call("PutLaunchAction", **action(resource))
    player.call("PutLaunchAction", **action(resource, order=4))

    player.refused(
        "PutLaunchAction",
        "ValidationException",
        **action(resource, order=5, actionId=ACTION.replace("0", "1")),
    )


def test_active_actions_run_after_a_launch_with_post_launch_enabled(player, clock):
    server = server_id("web-1")
    player.call("PutLaunchAction", **action(server))
    idle = ACTION.replace("0", "1")
    player.call("PutLaunchAction", **action(server, order=3, actionId=idle, active=False))
    player.call("UpdateLaunchConfiguration", sourceServerID=server, postLaunchEnabled=True)
    player.call("StartRecovery", sourceServers=[{"sourceServerID": server}])
    clock.advance(timedelta(hours=1))

    job = player.call("DescribeJobs")["items"][0]

    runs = job["participatingServers"][0]["launchActionsStatus"]["runs"]
    assert [run["action"]["actionId"] for run in runs] == [ACTION]
    assert runs[0]["status"] == "SUCCEEDED"
