"""Whether an instance still is what a launch left behind, and what DRS's words about its end
amount to. What nothing tells is UNKNOWN; what differs is left alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drportal.aws.drs import LogItem, RecoveryInstance
from recovery.states import InstanceOutcome


@dataclass(frozen=True, slots=True)
class Wanted:
    """An instance as its launch left it: whose; which, empty if that is not known; and the DRS jobs
    by which the execution launched the server, none if none is known.
    """

    server_id: str
    instance_id: str
    launch_job_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of an instance, and why. Without an `outcome` it is there, and what it was;
    `instance_id` is then the one that DRS lists.
    """

    outcome: InstanceOutcome | None
    message: str = ""
    instance_id: str = ""


def compare(
    wanted: Wanted, listed: Sequence[RecoveryInstance], in_ec2: Mapping[str, str]
) -> Finding:
    """What is left of `wanted`, by what DRS lists of its server and under its id right now, and
    by EC2's states of the instances that DRS does not list and EC2 has not terminated.
    """
    of_server = [found for found in listed if found.server_id == wanted.server_id]
    if wanted.instance_id:
        named = [found for found in listed if found.instance_id == wanted.instance_id]
        return _same(wanted, named[0]) if named else _not_listed(wanted, of_server, in_ec2)
    return _never_known(wanted, of_server)


def _same(wanted: Wanted, found: RecoveryInstance) -> Finding:
    if found.server_id != wanted.server_id:
        of = found.server_id or "no server"
        return _left(f"DRS lists it as the instance of {of}, not of {wanted.server_id}.")
    if not found.job_id:
        return Finding(InstanceOutcome.UNKNOWN, "DRS does not say which job launched it.")
    if not wanted.launch_job_ids:
        return _left(
            f"{found.job_id} launched it, and whether this execution started that is not known."
        )
    if found.job_id not in wanted.launch_job_ids:
        return _left(
            f"{found.job_id} launched it, not {' or '.join(sorted(wanted.launch_job_ids))}."
        )
    return Finding(None, instance_id=found.instance_id)


def _not_listed(
    wanted: Wanted, of_server: Sequence[RecoveryInstance], in_ec2: Mapping[str, str]
) -> Finding:
    """DRS forgets an instance that somebody disconnected and deleted there, and EC2 keeps it."""
    if wanted.instance_id in in_ec2:
        state = in_ec2[wanted.instance_id] or "in a state that it does not tell"
        return _left(
            f"DRS no longer lists it, but EC2 has it ({state}): terminate it there, if nobody "
            "needs it."
        )
    if not of_server:
        return Finding(InstanceOutcome.GONE, "DRS no longer lists it.")
    other = of_server[0]
    return Finding(
        InstanceOutcome.GONE,
        f"DRS no longer lists it. {other.instance_id}, launched by {other.job_id or 'some job'}, "
        "is there in its place and was left alone.",
    )


def _never_known(wanted: Wanted, of_server: Sequence[RecoveryInstance]) -> Finding:
    """DRS never told the instance's id: then only the job tells which one is meant."""
    own = [found for found in of_server if found.job_id in wanted.launch_job_ids]
    if own:
        return Finding(None, instance_id=own[0].instance_id)
    if not of_server:
        return Finding(InstanceOutcome.GONE, "DRS lists no instance of the server.")
    other = of_server[0]
    if not other.job_id:
        said = f"{other.instance_id} is there, and DRS does not say which job launched it."
        return Finding(InstanceOutcome.UNKNOWN, said)
    return _left(
        f"{other.instance_id} is there, launched by {other.job_id}, which is not known to be this "
        "execution's."
    )


def _left(why: str) -> Finding:
    return Finding(InstanceOutcome.LEFT, why)


def verdict(status: str, *, there: bool, failure: str) -> Finding:
    """What became of an instance once the job that was to terminate it has ended.

    `status` is DRS's word, empty if the job does not list the server any more; `there` is whether
    EC2 still has the instance, which decides; `failure` is the reason in the job's log.
    """
    if not there:
        return Finding(InstanceOutcome.TERMINATED)
    said = f"DRS reports {status or 'nothing'}, and the instance is still there"
    return Finding(InstanceOutcome.FAILED, f"{said}: {failure}" if failure else f"{said}.")


def failures(log: Iterable[LogItem]) -> dict[str, str]:
    """Why servers' instances could not be removed, by server, as a job's log tells."""
    return {
        item.server_id: item.error or "DRS gives no reason"
        for item in log
        if item.event == "CLEANUP_FAIL" and item.server_id
    }
