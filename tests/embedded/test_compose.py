import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands

from drportal.commandlines import ALL_QUEUES

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
# What boto3 and Django read by themselves.
NOT_OURS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DJANGO_SETTINGS_MODULE"}
PORTAL = {"migrate", "web", "worker-engine", "worker", "beat"}


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_it_follows_the_compose_specification():
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", str(COMPOSE)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_it_has_every_part_and_one_beat(services):
    assert services.keys() == PORTAL | {"postgres", "redis", "simulator"}
    assert "deploy" not in services["beat"]


def test_every_queue_has_a_worker(services):
    served = set()
    for name in ("worker", "worker-engine"):
        command = services[name]["command"]
        served |= set(command[command.index("--queues") + 1].split(","))
    assert served == set(ALL_QUEUES.split(","))


def test_every_setting_that_it_gives_is_one_that_is_read(services):
    settings = (ROOT / "drportal" / "settings").glob("*.py")
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', "".join(p.read_text() for p in settings)))
    for name in PORTAL:
        assert services[name]["environment"].keys() - NOT_OURS <= read


def test_nothing_starts_before_what_it_needs(services):
    assert services["migrate"]["depends_on"].keys() == {"postgres", "redis", "simulator"}
    for name in PORTAL - {"migrate"}:
        needed = services[name]["depends_on"]
        assert needed["migrate"]["condition"] == "service_completed_successfully"
        assert needed["redis"]["condition"] == "service_healthy"


def test_the_simulator_runs_only_when_it_is_asked_for(services):
    assert services["simulator"]["profiles"] == ["simulated"]
    assert services["migrate"]["depends_on"]["simulator"]["required"] is False


def test_commands_it_runs_exist(services):
    script = "\n".join(part for name in PORTAL for part in map(str, services[name]["command"]))
    named = set(re.findall(r"manage\.py\s+(\w+)", script))
    assert named <= get_commands().keys()


def test_no_secret_is_written_down(services):
    text = COMPOSE.read_text()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD"):
        assert re.search(rf"\$\{{{name}:\?", text)
        assert not re.search(rf"{name}: [^$]", text)
