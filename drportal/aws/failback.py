"""The way back in AWS Elastic Disaster Recovery: replication from a recovery instance to where
it came from, the launch there, and letting go of the instance.
"""

import math
from collections.abc import Sequence

from drportal.aws.drs import Drs, Job, job_of
from drportal.aws.session import Use, client, readable, sent_before, translated
from drportal.transactions import reaches_outside


class FailbackDrs(Drs):
    """DRS in one scope, with what a failback asks of it. Every method may raise AwsError.

    What changes something is sent before the moment `before`, by `time.monotonic`, or not at all,
    and is asked exactly once: an ambiguous AwsError means that DRS may have done it all the same.
    """

    @reaches_outside
    def reverse_replication(self, instance_id: str, *, before: float = math.inf) -> str:
        """Let a recovery instance that came from EC2 replicate to where it came from. Returns the
        ARN of the source server that DRS makes there; launching happens from that (DRS user guide).
        """
        with translated("ReverseReplication", self.scope), sent_before(before):
            answer = client("drs", Use.WRITE_ONCE, self.scope).reverse_replication(
                recoveryInstanceID=instance_id
            )
        with readable("ReverseReplication", self.scope):
            return str(answer["reversedDirectionSourceServerArn"])

    @reaches_outside
    def start_failback_launch(
        self, instance_ids: Sequence[str], *, before: float = math.inf
    ) -> Job:
        """Launch the original machines of `instance_ids`, at most 200, in one job: all or none.

        Only for what came from on premises. No tags are sent, as with StartRecovery.
        """
        with translated("StartFailbackLaunch", self.scope), sent_before(before):
            answer = client("drs", Use.WRITE_ONCE, self.scope).start_failback_launch(
                recoveryInstanceIDs=list(instance_ids)
            )
        with readable("StartFailbackLaunch", self.scope):
            return job_of(answer["job"])

    @reaches_outside
    def stop_failback(self, instance_id: str, *, before: float = math.inf) -> None:
        """End the failback of an instance, which goes back to FAILBACK_NOT_STARTED."""
        with translated("StopFailback", self.scope), sent_before(before):
            client("drs", Use.WRITE_ONCE, self.scope).stop_failback(recoveryInstanceID=instance_id)

    @reaches_outside
    def disconnect_recovery_instance(self, instance_id: str, *, before: float = math.inf) -> None:
        """End the replication of an instance, and take its agent off. EC2 keeps it."""
        with translated("DisconnectRecoveryInstance", self.scope), sent_before(before):
            client("drs", Use.WRITE_ONCE, self.scope).disconnect_recovery_instance(
                recoveryInstanceID=instance_id
            )
