"""Every path of the reference system that data management serves is there, and works.

From reference-data-plane, sections 5.2 to 5.6. Left out is what another issue brings (executions
and the read side's own) and what the reference deploys without an answer behind it.
"""

from typing import Any

import pytest
from django.urls import resolve

GROUP, PLAN, SERVER = (
    "11111111-1111-4111-8111-111111111111",
    "2" * 8 + "-2222-4222-8222-" + "2" * 12,
    "s-" + "0" * 17,
)
TARGET, STAGING = "210000000001", "310000000001"

PATHS = [
    ("GET POST", "protection-groups"),
    ("GET PUT DELETE", f"protection-groups/{GROUP}"),
    ("POST", "protection-groups/resolve"),
    ("POST", f"protection-groups/{GROUP}/resolve"),
    ("POST", f"protection-groups/{GROUP}/apply-launch-configs"),
    ("GET", f"protection-groups/{GROUP}/launch-config-status"),
    ("GET PUT DELETE", f"protection-groups/{GROUP}/servers/{SERVER}/launch-config"),
    ("POST", f"protection-groups/{GROUP}/servers/{SERVER}/validate-ip"),
    ("POST", f"protection-groups/{GROUP}/servers/bulk-launch-config"),
    ("GET POST", "recovery-plans"),
    ("GET PUT DELETE", f"recovery-plans/{PLAN}"),
    ("GET POST", f"recovery-plans/{PLAN}/check-existing-instances"),
    ("POST", f"recovery-plans/{PLAN}/execute"),
    ("POST", f"executions/{PLAN}/terminate-instances"),
    ("GET", f"executions/{PLAN}/termination-status"),
    ("GET", f"executions/{PLAN}/recovery-instances"),
    ("GET", f"executions/{PLAN}/job-logs"),
    ("GET POST", "accounts/targets"),
    ("GET PUT DELETE", f"accounts/targets/{TARGET}"),
    ("POST", f"accounts/targets/{TARGET}/validate"),
    ("POST", f"accounts/targets/{TARGET}/staging-accounts"),
    ("DELETE", f"accounts/targets/{TARGET}/staging-accounts/{STAGING}"),
    ("POST", f"accounts/targets/{TARGET}/staging-accounts/sync"),
    ("GET", f"accounts/targets/{TARGET}/staging-accounts/discover"),
    ("GET", f"accounts/targets/{TARGET}/capacity"),
    ("GET", "accounts/capacity/all"),
    ("GET", "accounts/current"),
    ("POST", "staging-accounts/validate"),
    ("GET", "drs/accounts"),
    ("GET", "drs/source-servers"),
    ("GET", "drs/source-server-inventory"),
    ("GET", "drs/quotas"),
    ("GET POST", "drs/tag-sync"),
    ("GET POST", "drs/recovery-instance-sync"),
    ("GET", "ec2/subnets"),
    ("GET", "ec2/security-groups"),
    ("GET", "ec2/instance-profiles"),
    ("GET", "ec2/instance-types"),
    ("GET", "config/export"),
    ("POST", "config/import"),
    ("POST", "config/validate-manifest"),
    ("GET PUT", "config/tag-sync"),
]


@pytest.mark.parametrize(("methods", "path"), PATHS, ids=str)
def test_a_path_of_the_reference_system_takes_its_methods(methods, path):
    view: Any = resolve(f"/api/v1/{path}").func
    assert {method.lower() for method in methods.split()} <= set(view.actions)


@pytest.mark.django_db
@pytest.mark.parametrize(("methods", "path"), PATHS, ids=str)
def test_it_is_nobodys_who_has_not_signed_in(client, methods, path):
    for method in methods.split():
        answer = getattr(client, method.lower())(f"/api/v1/{path}")
        assert answer.status_code in {401, 403}
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
def test_the_targets_are_at_the_read_sides_path_too(root):
    assert root.get("/api/v1/drs/accounts").json() == root.get("/api/v1/accounts/targets").json()
