import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from drportal.embedded.places import free_port
from drportal.probes import problems
from drportal.settings.env import Env

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s" * 60


@pytest.fixture
def right(aws_that_answers):
    return {
        "SECRET_KEY": SECRET,
        "DATABASE_URL": os.environ["DATABASE_URL"].replace("/portal?", "/postgres?"),
        "REDIS_URL": os.environ["REDIS_URL"],
        "AWS_ENDPOINT_URL": aws_that_answers,
    }


@pytest.fixture
def aws_that_answers():
    class NotFound(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), NotFound) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def manage(environment, *arguments):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_services_that_answer_are_no_problem(right):
    assert problems(Env(right)) == []


def test_without_an_endpoint_aws_is_not_asked(right):
    del right["AWS_ENDPOINT_URL"]
    assert problems(Env(right)) == []


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("DATABASE_URL", "postgresql://user:hush@127.0.0.1:{port}/db", "Connection refused"),
        ("DATABASE_URL", "postgresql://postgres@/no_such?host={sockets}", "no_such"),
        ("DATABASE_URL", "postgresql://stranger@/postgres?host={sockets}", "stranger"),
        ("DATABASE_URL", "postgresql:///db?host={sockets}&no_such_option=1", "no_such_option"),
        ("REDIS_URL", "redis://:hush@127.0.0.1:{port}/0", "Connection refused"),
        ("REDIS_URL", "redis://:hush@127.0.0.1:{redis}/0", "invalid username-password"),
        ("REDIS_URL", "redis://127.0.0.1:{redis}/0", "Authentication required"),
        ("AWS_ENDPOINT_URL", "http://user:hush@127.0.0.1:{port}", "from 127.0.0.1:"),
        ("AWS_ENDPOINT_URL", "https://127.0.0.1:{aws}", "SSL"),
    ],
)
def test_one_that_does_not_answer_is_named_with_the_reason(right, setting, value, why):
    facts = {
        "port": free_port(),
        "sockets": right["DATABASE_URL"].partition("host=")[2],
        "redis": right["REDIS_URL"].rpartition(":")[2].partition("/")[0],
        "aws": right["AWS_ENDPOINT_URL"].rpartition(":")[2],
    }
    (problem,) = problems(Env({**right, setting: value.format(**facts)}))
    assert problem.startswith(f"{setting}: ")
    assert why in problem
    assert "hush" not in problem
    assert "\n" not in problem


def test_the_command_names_every_service_that_does_not_answer(right):
    port = free_port()
    done = manage(
        {
            "SECRET_KEY": SECRET,
            "DATABASE_URL": f"postgresql://user@127.0.0.1:{port}/db",
            "REDIS_URL": f"redis://127.0.0.1:{port}/0",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        },
        "check_services",
    )
    assert done.returncode == 1
    for setting in ("DATABASE_URL", "REDIS_URL", "AWS_ENDPOINT_URL"):
        assert f"  {setting}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_values_and_silent_services_are_told_together(right):
    done = manage(
        {
            "DATABASE_URL": "mysql://host/db",
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
            "LEASE_SECONDS": "soon",
        },
        "run",
        "web",
    )
    assert done.returncode == 1
    for setting in ("SECRET_KEY is", "DATABASE_URL starts", "REDIS_URL: ", "LEASE_SECONDS is"):
        assert f"  {setting}" in done.stderr
    assert done.stderr.count("DATABASE_URL") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("process", ["web", "worker", "beat"])
def test_no_process_starts_without_its_services(right, process):
    port = free_port()
    done = manage({**right, "REDIS_URL": f"redis://127.0.0.1:{port}/0"}, "run", process)
    assert done.returncode == 1
    assert "REDIS_URL: Redis does not answer" in done.stderr


def test_all_is_well_when_all_answer(right):
    done = manage(right, "check_services")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Every configured service answers.\n"
