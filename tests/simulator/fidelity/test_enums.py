"""Which values of the model's enums the long run brings out, and which the simulator never says."""

from collections import defaultdict
from typing import Any

import pytest

from drportal.simulator.shapes import operation_model, service

NETWORK = {
    f"{what}_{end}"
    for what in ("DEPLOY_NETWORK_CONFIGURATION", "UPDATE_NETWORK_CONFIGURATION")
    for end in ("START", "END", "FAILED")
}
# Values that no run brings out, and why.
NEVER: dict[str, set[str]] = {
    "JobStatus": set(),
    "JobType": {"CREATE_CONVERTED_SNAPSHOT"},  # no operation starts such a job
    "InitiatedBy": {
        "DIAGNOSTIC",  # no operation starts such a job
        "TARGET_ACCOUNT",  # what DRS does by it in a staging account is not documented
        "CREATE_NETWORK_RECOVERY",  # source networks are not simulated
        "UPDATE_NETWORK_RECOVERY",
        "ASSOCIATE_NETWORK_RECOVERY",
    },
    "LaunchStatus": set(),
    "LastLaunchResult": set(),
    "LastLaunchType": set(),
    "DataReplicationState": set(),
    "ExtensionStatus": set(),
    "EC2InstanceState": set(),
    "FailbackState": set(),
    "LaunchDisposition": set(),
    "ReplicationDirection": set(),
    "OriginEnvironment": set(),
    "JobLogEvent": {
        "JOB_CANCEL",  # no operation cancels a job
        "NETWORK_RECOVERY_FAIL",  # source networks are not simulated
        *NETWORK,
        "UPDATE_LAUNCH_TEMPLATE_START",
        "UPDATE_LAUNCH_TEMPLATE_END",
        "UPDATE_LAUNCH_TEMPLATE_FAILED",
    },
}
BEYOND_THE_MODEL = {"JobLogEvent": {"LAUNCH_END"}}


@pytest.fixture(scope="module")
def said(recorded) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for answer in recorded.play.answers:
        shape = operation_model(answer.operation).output_shape
        if answer.error is None and shape is not None:
            gather(answer.result, shape, found)
    return found


def gather(value: Any, shape: Any, found: dict[str, set[str]]) -> None:
    for inner, inner_shape in inside(value, shape):
        gather(inner, inner_shape, found)
    if shape.type_name == "string" and shape.enum:
        found[shape.name].add(value)


def inside(value: Any, shape: Any) -> list[tuple[Any, Any]]:
    match shape.type_name:
        case "structure":
            return [(value[name], inner) for name, inner in shape.members.items() if name in value]
        case "list":
            return [(inner, shape.member) for inner in value]
        case "map":
            return [(inner, shape.value) for inner in value.values()]
    return []


def values_of(enum: str) -> set[str]:
    shape: Any = service().shape_for(enum)
    return set(shape.enum)


@pytest.mark.parametrize("enum", NEVER)
def test_every_other_value_is_said(said, enum):
    assert values_of(enum) - said[enum] == NEVER[enum]


def test_nothing_beyond_the_model_is_said_but_what_is_known(said):
    beyond = {
        enum: values - values_of(enum) for enum, values in said.items() if values - values_of(enum)
    }
    assert beyond == BEYOND_THE_MODEL
