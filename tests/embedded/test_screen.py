import io

import pytest
from rich.console import Console

from drportal.embedded.screen import Screen


def server(name, state, phase="WAITING", message=None):
    return {"name": name, "state": state, "phase": phase, "message": message}


def execution(state="RUNNING", *servers, wave="LAUNCHING"):
    return {
        "id": "0b9d",
        "state": state,
        "message": None,
        "waves": [
            {
                "position": 1,
                "name": "Databases",
                "state": wave,
                "started_at": "2026-03-01T12:00:00Z",
                "finished_at": "2026-03-01T12:00:42.5Z",
                "servers": list(servers),
            }
        ],
    }


@pytest.fixture
def shown():
    return io.StringIO()


@pytest.fixture
def terminal(shown):
    return Screen(Console(file=shown, force_terminal=True, width=120, legacy_windows=False))


@pytest.fixture
def log(shown):
    return Screen(Console(file=shown, width=40, highlight=False))


def test_a_terminal_shows_each_wave_and_the_phase_of_each_server(terminal, shown):
    with terminal.drill() as drill:
        drill.show(
            execution(
                "RUNNING",
                server("db-01", "LAUNCHING", "CONVERSION"),
                server("db-02", "FAILED", "LAUNCH", "No capacity."),
                server("db-03", "LAUNCHED", "DONE"),
            )
        )
    for word in ("Databases", "1 of 3", "db-01", "conversion", "FAILED", "No capacity."):
        assert word in shown.getvalue()


def test_a_log_gets_a_line_for_each_change_and_no_more(log, shown):
    with log.drill() as drill:
        for state in ("LAUNCHING", "LAUNCHING", "LAUNCHED"):
            drill.show(execution("RUNNING", server("db-01", state), server("db-02", "LAUNCHING")))
    assert shown.getvalue().splitlines() == [
        "wave 1 Databases: LAUNCHING (2 launching)",
        "wave 1 Databases: LAUNCHING (1 launched, 1 launching)",
    ]


def test_the_result_counts_only_what_was_launched(shown):
    servers = [server("a", "LAUNCHED"), server("b", "UNKNOWN"), server("c", "SKIPPED")]
    Screen(Console(file=shown, width=100)).result(execution("PARTIAL", *servers, wave="PARTIAL"))
    said = shown.getvalue()
    assert "0b9d: PARTIAL" in said
    assert "42.5 s" in said
    (row,) = [line for line in said.splitlines() if "PARTIAL" in line and "│" in line]
    assert [cell.strip() for cell in row.split("│")[3:5]] == ["1", "2"]


def test_a_step_says_what_it_was_and_a_failed_one_is_not_called_done(log, shown):
    with log.step("database"):
        pass
    with pytest.raises(RuntimeError), log.step("web"):
        raise RuntimeError
    assert "done  database" in shown.getvalue()
    assert "web" not in shown.getvalue()
