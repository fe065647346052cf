from pathlib import Path

import pytest
from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from drportal.embedded.processes import alive
from drportal.embedded.redis import start_redis


@pytest.fixture
def server(tmp_path):
    running = start_redis(tmp_path / "redis", log=tmp_path / "redis.log")
    yield running
    running.stop()


def test_it_has_numbered_databases_that_do_not_mix(server):
    with Client.from_url(server.url(0)) as first, Client.from_url(server.url(63)) as last:
        first.set("here", "1")
        assert last.get("here") is None
        assert first.get("here") == b"1"


def test_it_wants_a_password_that_no_argument_shows(server):
    with (
        Client(host="127.0.0.1", port=server.port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.get("here")
    arguments = Path(f"/proc/{server.child.process.pid}/cmdline").read_text()
    assert server.password not in arguments


def test_stopped_it_leaves_no_process_and_no_file(server, tmp_path):
    with Client.from_url(server.url()) as client:
        client.set("here", "1")
    server.stop()
    assert not alive(server.child.process.pid)
    assert list((tmp_path / "redis").iterdir()) == []
