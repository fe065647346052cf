"""Which operations of the model the simulator has, and how it says that it lacks one."""

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from drportal.simulator.operations import HANDLERS
from drportal.simulator.shapes import operation_model, service
from tests.simulator.fidelity.negatives import example
from tests.simulator.fidelity.player import HOME, HUB, client

SOURCE_NETWORKS = {
    "AssociateSourceNetworkStack",
    "CreateSourceNetwork",
    "DeleteSourceNetwork",
    "DescribeSourceNetworks",
    "ExportSourceNetworkCfnTemplate",
    "StartSourceNetworkRecovery",
    "StartSourceNetworkReplication",
    "StopSourceNetworkReplication",
}
RECOVERY_PLANS = {
    "CancelRecoveryPlanExecution",
    "CreateRecoveryPlan",
    "CreateRecoveryPlanStep",
    "DeleteRecoveryPlan",
    "DeleteRecoveryPlanExecution",
    "DeleteRecoveryPlanStep",
    "GetRecoveryPlan",
    "GetRecoveryPlanExecution",
    "GetRecoveryPlanExecutionStep",
    "GetRecoveryPlanStep",
    "ListRecoveryPlanExecutionSteps",
    "ListRecoveryPlanExecutions",
    "ListRecoveryPlanSteps",
    "ListRecoveryPlans",
    "ReorderRecoveryPlanSteps",
    "RetryRecoveryPlanExecutionStep",
    "StartRecoveryPlanExecution",
    "UpdateRecoveryPlan",
    "UpdateRecoveryPlanExecutionStep",
    "UpdateRecoveryPlanStep",
}
DEPRECATED = {"RetryDataReplication"}
NOT_SIMULATED = SOURCE_NETWORKS | RECOVERY_PLANS | DEPRECATED


def test_every_operation_of_the_model_is_simulated_or_declared_not_to_be():
    assert HANDLERS.keys() & NOT_SIMULATED == set()
    assert HANDLERS.keys() | NOT_SIMULATED == set(service().operation_names)


@pytest.mark.parametrize("operation", sorted(NOT_SIMULATED))
def test_what_is_not_simulated_says_so(clock, operation):
    request = example(operation_model(operation).input_shape)

    with pytest.raises(ClientError) as caught:
        getattr(client(HUB, HOME), xform_name(operation))(**request)

    assert caught.value.response["Error"] == {
        "Code": "SimulatorNotImplemented",
        "Message": f"The simulator does not implement drs:{operation}.",
    }
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_the_long_run_calls_every_operation(recorded):
    succeeded = {each.operation for each in recorded.play.answers if each.error is None}

    assert succeeded == HANDLERS.keys()
