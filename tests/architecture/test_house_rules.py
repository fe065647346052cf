"""What no linter can be told, read from the code itself."""

import ast
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("drportal", "audit", "protection", "recovery", "queries")
LONGEST_MODULE = 400


def modules(*places: str) -> list[Path]:
    return sorted(
        path
        for place in places
        for path in (ROOT / place).rglob("*.py")
        if "migrations" not in path.parts
    )


OURS = modules(*APPS)
EVERYTHING = modules(*APPS, "tests", "scripts")
PRODUCT = [path for path in OURS if "simulator" not in path.parts and "embedded" not in path.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def offenders(places: list[Path], offends: Callable[[ast.AST], bool]) -> list[str]:
    """`file:line` of every node that offends."""
    return [
        f"{name_of(path)}:{getattr(node, 'lineno', 0)}"
        for path in places
        for node in ast.walk(ast.parse(path.read_text()))
        if offends(node)
    ]


def named(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in names


def test_modules_are_short_enough_to_be_read():
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in EVERYTHING}
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_no_model_overrides_save_or_delete():
    # The audit record's own refuse: it is append-only by code as well as by trigger.
    models = [path for path in PRODUCT if "models" in name_of(path) and path.parts[-2] != "audit"]
    assert not offenders(
        models, lambda node: isinstance(node, ast.FunctionDef) and node.name in {"save", "delete"}
    )


def test_state_moves_only_through_the_door():
    """`move` and `move_all` know which moves are legal; an UPDATE of one's own does not."""

    def moves(node: ast.AST) -> bool:
        if isinstance(node, ast.Assign):
            return any(named(target, "state") for target in node.targets)
        return (
            isinstance(node, ast.Call)
            and named(node.func, "update", "update_or_create")
            and any(keyword.arg == "state" for keyword in node.keywords)
        )

    door = ROOT / "drportal" / "state.py"
    assert not offenders([path for path in PRODUCT if path != door], moves)


def test_only_env_reads_the_environment():
    # The tests' settings say where nothing is before the embedded services have started.
    # What starts a process says which settings it wants.
    allowed = {"drportal/settings/env.py", "drportal/settings/test.py"}
    allowed |= {"drportal/celery.py", "drportal/wsgi.py", "drportal/asgi.py"}
    others = [path for path in PRODUCT if name_of(path) not in allowed]
    assert not offenders(others, lambda node: named(node, "environ", "getenv"))


def test_nobody_sleeps():
    # A command waits there for DynamoDB's tables, and a batch between two tries.
    allowed = {"drportal/mirror/services/tables.py", "drportal/aws/dynamodb.py"}
    others = [path for path in PRODUCT if name_of(path) not in allowed]
    assert not offenders(others, lambda node: named(node, "sleep"))


def test_no_test_sleeps_or_is_skipped():
    banned = ("sleep", "skip", "xfail", "skipif")
    assert not offenders(modules("tests"), lambda node: named(node, *banned))


def test_no_drawer_for_everything():
    drawers = {"utils", "helpers", "common", "core", "misc"}
    assert not [name_of(path) for path in OURS if drawers & {path.stem, *path.parts}]
