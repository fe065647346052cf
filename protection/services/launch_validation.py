"""Whether launch settings would hold in AWS: asked of EC2 and IAM where the group is.

Nothing is written, so a request may wait for it, but not long: what has not been answered in time
could not be checked, and blocks like anything else that could not be.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from django.db import connection

from drportal.aws.errors import AwsError
from drportal.aws.instance_profiles import InstanceProfiles
from drportal.aws.instance_types import InstanceTypes
from drportal.aws.launch_targets import LaunchTarget, LaunchTargets
from drportal.aws.network import SERVER_TAG, AddressHolder, Network, SecurityGroup, Subnet
from drportal.aws.scope import Scope
from drportal.observability import correlated, correlation_id
from drportal.transactions import reaches_outside
from protection.rules.addressing import place_problem
from protection.rules.launch import Problem

IN_A_REQUEST = 5.0  # seconds that a person may be kept waiting for AWS
NOT_ASKED = "AWS_API_ERROR"
_THREADS = 8
_INTO = "launchIntoInstanceProperties"
_LAUNCH_INTO_TAG = ("AWSDRS", "AllowLaunchingIntoThisInstance")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What AWS says against one field; `NOT_ASKED` means that it could not be asked.

    `conflict` is who has the address that was wanted.
    """

    field: str
    code: str
    message: str
    conflict: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, problem: Problem) -> "Complaint":
        return cls(problem.field, problem.code, problem.message)

    def as_error(self, prefix: str = "") -> dict[str, Any]:
        error = {"field": prefix + self.field, "code": self.code, "message": self.message}
        return error | ({"conflictingResource": self.conflict} if self.conflict else {})


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be checked: the whole of what a server, or a group, is to have.

    `server_id` is DRS's id of the server; an address that its own instance has is free for it.
    """

    values: Mapping[str, Any]
    server_id: str = ""


@dataclass(slots=True)
class Answers:
    """What one scope has answered so far, so that nothing is asked twice."""

    scope: Scope
    _known: dict[tuple[str, ...], Future[Any]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def subnet(self, subnet_id: str) -> Subnet | None:
        def ask() -> Subnet | None:
            return next(iter(Network(self.scope).subnets([subnet_id])), None)

        found: Subnet | None = self._once(("subnet", subnet_id), ask)
        return found

    def security_groups(self, ids: Sequence[str]) -> dict[str, SecurityGroup]:
        def ask() -> dict[str, SecurityGroup]:
            found = Network(self.scope).security_groups(group_ids=ids)
            return {group.group_id: group for group in found}

        groups: dict[str, SecurityGroup] = self._once(("groups", *ids), ask)
        return groups

    def offered(self, instance_type: str, zone: str) -> bool:
        def ask() -> bool:
            return InstanceTypes(self.scope).is_offered(instance_type, zone)

        return bool(self._once(("type", instance_type, zone), ask))

    def has_profile(self, name: str) -> bool:
        def ask() -> bool:
            return InstanceProfiles(self.scope).named(name) is not None

        return bool(self._once(("profile", name), ask))

    def holders(self, subnet_id: str, ip: str) -> list[AddressHolder]:
        def ask() -> list[AddressHolder]:
            return Network(self.scope).addresses_in_use(subnet_id, ip)

        found: list[AddressHolder] = self._once(("address", subnet_id, ip), ask)
        return found

    def target(self, instance_id: str) -> LaunchTarget | None:
        def ask() -> LaunchTarget | None:
            return LaunchTargets(self.scope).named(instance_id)

        found: LaunchTarget | None = self._once(("target", instance_id), ask)
        return found

    def _once(self, question: tuple[str, ...], ask: Callable[[], Any]) -> Any:
        with self._lock:
            known = self._known.get(question)
            mine = known is None
            if known is None:
                known = self._known[question] = Future()
        if mine:
            try:
                known.set_result(ask())
            except AwsError as error:
                known.set_exception(error)
            except BaseException as error:  # whoever else waits must not wait for ever
                known.set_exception(error)
                raise
        return known.result()


@reaches_outside
def complaints(
    scope: Scope, subjects: Sequence[Subject], *, seconds: float = IN_A_REQUEST
) -> list[list[Complaint]]:
    """What AWS says against each of `subjects`, in their order, within `seconds`."""
    answers, work = Answers(scope), correlation_id()
    ends = time.monotonic() + seconds
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="launch-validation")
    try:
        asked = [
            [(name, pool.submit(_within, work, check, answers, subject)) for name, check in _CHECKS]
            for subject in subjects
        ]
        return [_gathered(each, ends, seconds) for each in asked]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def complaints_about(answers: Answers, subject: Subject) -> list[Complaint]:
    """What AWS says against one subject, however long it takes: for a worker.

    Raises AwsError where asking again later can help.
    """
    found = []
    for name, check in _CHECKS:
        try:
            found += list(check(answers, subject))
        except AwsError as error:
            if error.passing:
                raise
            found.append(_not_asked(name, error.detail))
    return found


def _within(work: str, check: "_Check", answers: Answers, subject: Subject) -> list[Complaint]:
    with correlated(work):
        try:
            return list(check(answers, subject))
        finally:
            connection.close()


def _gathered(
    asked: Sequence[tuple[str, "Future[list[Complaint]]"]], ends: float, seconds: float
) -> list[Complaint]:
    found: list[Complaint] = []
    for name, answered in asked:
        try:
            found += answered.result(max(0.0, ends - time.monotonic()))
        except AwsError as error:
            found.append(_not_asked(name, error.detail))
        except NotInTime:
            found.append(_not_asked(name, f"AWS did not answer within {seconds:g} seconds."))
    return found


def _not_asked(name: str, why: str) -> Complaint:
    return Complaint(name, NOT_ASKED, f"This could not be checked. {why}")


def _subnet(answers: Answers, subject: Subject) -> Iterator[Complaint]:
    subnet_id = subject.values.get("subnetId")
    if subnet_id and answers.subnet(subnet_id) is None:
        yield Complaint("subnetId", "SUBNET_NOT_FOUND", f"There is no subnet {subnet_id} here.")


def _groups(answers: Answers, subject: Subject) -> Iterator[Complaint]:
    wanted = subject.values.get("securityGroupIds")
    if not wanted:
        return
    name, found = "securityGroupIds", answers.security_groups(wanted)
    missing = [each for each in wanted if each not in found]
    if missing:
        told = f"There is no security group {', '.join(missing)} here."
        yield Complaint(name, "SECURITY_GROUPS_NOT_FOUND", told)
        return
    networks = {group.vpc_id for group in found.values()}
    subnet = _subnet_of(answers, subject)
    if subnet is not None and networks != {subnet.vpc_id}:
        strangers = [each for each in wanted if found[each].vpc_id != subnet.vpc_id]
        told = f"{', '.join(strangers)} is not in {subnet.vpc_id}, the VPC of the subnet."
        yield Complaint(name, "SECURITY_GROUPS_WRONG_VPC", told)
    elif len(networks) > 1:
        told = "The security groups are in different VPCs; an instance is in one."
        yield Complaint(name, "SECURITY_GROUPS_WRONG_VPC", told)


def _type(answers: Answers, subject: Subject) -> Iterator[Complaint]:
    wanted = subject.values.get("instanceType")
    if not wanted:
        return
    subnet = _subnet_of(answers, subject)
    for zone in ("", subnet.availability_zone if subnet else ""):
        if not answers.offered(wanted, zone):
            where = zone or answers.scope.region
            told = f"{where} does not offer the instance type {wanted}."
            yield Complaint("instanceType", "INSTANCE_TYPE_UNAVAILABLE", told)
            return


def _profile(answers: Answers, subject: Subject) -> Iterator[Complaint]:
    wanted = subject.values.get("instanceProfileName")
    if wanted and not answers.has_profile(wanted):
        told = f"The account {answers.scope.account_id} has no instance profile {wanted}."
        yield Complaint("instanceProfileName", "IAM_PROFILE_NOT_FOUND", told)


def _address(answers: Answers, subject: Subject) -> Iterator[Complaint]:
    ip = subject.values.get("staticPrivateIp")
    if not ip:
        return
    name, subnet_id = "staticPrivateIp", subject.values.get("subnetId")
    if not subnet_id:
        told = "An address needs a subnet, of the server's own or of its group's settings."
        yield Complaint(name, "MISSING_SUBNET", told)
        return
    subnet = answers.subnet(subnet_id)
    if subnet is None:
        return  # which `_subnet` says
    problem = place_problem(ip, subnet.cidr)
    if problem is not None:
        yield Complaint(name, *problem)
        return
    for holder in answers.holders(subnet_id, ip):
        if not _is_own(holder, subject):
            told = f"{ip} is in use in {subnet_id}, by {holder.name or holder.interface_id}."
            yield Complaint(name, "IP_IN_USE", told, conflict=_conflict(holder))


def _is_own(holder: AddressHolder, subject: Subject) -> bool:
    """Whether it is the instance of the server's last launch: DRS removes it before the next."""
    return bool(subject.server_id) and holder.tags.get(SERVER_TAG) == subject.server_id


def _conflict(holder: AddressHolder) -> dict[str, Any]:
    return {
        "type": "instance" if holder.instance_id else "network-interface",
        "id": holder.instance_id or holder.interface_id,
        "name": holder.name,
        "isDrsResource": holder.is_of_drs,
    }


def _target(answers: Answers, subject: Subject) -> Iterator[Complaint]:
    wanted = (subject.values.get(_INTO) or {}).get("launchIntoEC2InstanceID")
    if not wanted:
        return
    found = answers.target(wanted)
    if found is None:
        told = f"There is no instance {wanted} here."
        yield Complaint(_INTO, "LAUNCH_INTO_INSTANCE_NOT_FOUND", told)
        return
    key, value = _LAUNCH_INTO_TAG
    if found.tags.get(key) != value:
        told = f"{wanted} does not have the tag {key}={value}."
        yield Complaint(_INTO, "LAUNCH_INTO_INSTANCE_NOT_TAGGED", told)
    if found.state != "stopped":
        told = f"{wanted} is {found.state or 'in an unknown state'}, and must be stopped."
        yield Complaint(_INTO, "LAUNCH_INTO_INSTANCE_NOT_STOPPED", told)
    if (found.architecture, found.root_device_type) != ("x86_64", "ebs"):
        told = f"{wanted} must be an x86_64 instance with an EBS root volume."
        yield Complaint(_INTO, "LAUNCH_INTO_INSTANCE_UNFIT", told)


def _subnet_of(answers: Answers, subject: Subject) -> Subnet | None:
    subnet_id = subject.values.get("subnetId")
    return answers.subnet(subnet_id) if subnet_id else None


_Check = Callable[[Answers, Subject], Iterator[Complaint]]
_CHECKS: tuple[tuple[str, _Check], ...] = (
    ("subnetId", _subnet),
    ("securityGroupIds", _groups),
    ("instanceType", _type),
    ("instanceProfileName", _profile),
    ("staticPrivateIp", _address),
    (_INTO, _target),
)
