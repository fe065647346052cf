import pytest

from drportal.settings.env import Env, EnvironmentNotRight

READS = {
    "text": lambda env: env.text("X"),
    "secret": lambda env: env.secret("X"),
    "flag": lambda env: env.flag("X", default=True),
    "number": lambda env: env.number("X", 5, low=1, high=10),
    "whole": lambda env: env.whole("X", 5, low=1, high=10),
    "one_of": lambda env: env.one_of("X", {"A", "B"}, "A"),
    "table_prefix": lambda env: env.table_prefix("X", ""),
    "url": lambda env: env.url("X", {"http", "https"}, ""),
    "database": lambda env: env.database("X"),
    "redis": lambda env: env.redis("X"),
}

WRONG = [
    ("text", None, "X is not set"),
    ("text", "", "X is not set"),
    ("secret", None, "X is not set"),
    ("secret", "short", "X has 5 characters, fewer than 50"),
    ("flag", "perhaps", "X is 'perhaps', not a yes or a no"),
    ("number", "many", "X is 'many', not a number"),
    ("number", "nan", "X is nan, not between 1 and 10"),
    ("number", "inf", "X is inf, not between 1 and 10"),
    ("number", "0.5", "X is 0.5, not between 1 and 10"),
    ("whole", "1.5", "X is '1.5', not a whole number"),
    ("whole", "11", "X is 11, not between 1 and 10"),
    ("one_of", "C", "X is 'C', not one of A, B"),
    ("table_prefix", "a/b", "X is 'a/b': only letters"),
    ("table_prefix", "a" * 41, "at most 40"),
    ("url", "ftp://host", "X starts with 'ftp', not with http:// or https://"),
    ("url", "host", "X lacks its http:// or https://"),
    ("url", "localhost:5000", "X starts with 'localhost', not with http:// or https://"),
    ("url", "http://", "X names no host"),
    ("url", "http://host:port", "X is not a URL"),
    ("url", "http://[::1", "X is not a URL"),
    ("database", None, "X is not set"),
    ("database", "mysql://host/db", "X starts with 'mysql', not with postgres:// or postgresql://"),
    ("database", "postgresql://host", "X names no database"),
    ("database", "postgresql://host/", "X names no database"),
    ("redis", "http://host", "X starts with 'http', not with redis:// or rediss://"),
    ("redis", "unix:///run/redis.sock", "X starts with 'unix', not with"),
    ("redis", "redis:///0", "X names no host"),
    ("redis", "redis://host/first", "X ends in '/first', not in /NUMBER of a database"),
]


@pytest.mark.parametrize(("kind", "value", "complaint"), WRONG)
def test_a_wrong_value_is_named_and_explained(kind, value, complaint):
    env = Env({} if value is None else {"X": value})
    READS[kind](env)
    assert len(env.problems) == 1
    assert complaint in env.problems[0]
    assert env.problems[0].startswith("X ")


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("text", "words", "words"),
        ("secret", "s" * 50, "s" * 50),
        ("flag", "Yes", True),
        ("flag", " 0 ", False),
        ("number", "2.5", 2.5),
        ("whole", "10", 10),
        ("one_of", "B", "B"),
        ("table_prefix", "dr.portal_1-", "dr.portal_1-"),
        ("url", "https://host:8443/path", "https://host:8443/path"),
        ("url", "", ""),
        ("redis", "rediss://user:word@host:6380/3", "rediss://user:word@host:6380/3"),
        ("redis", "redis://host", "redis://host"),
    ],
)
def test_a_right_value_is_read(kind, value, read):
    env = Env({"X": value})
    assert READS[kind](env) == read
    env.check()


def test_a_database_url_is_taken_apart():
    env = Env({"X": "postgres://us%40er:p%2Fw@host:5433/na%20me?sslmode=require"})
    entry = env.database("X")
    env.check()
    assert entry == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "na me",
        "USER": "us@er",
        "PASSWORD": "p/w",
        "HOST": "host",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }


def test_a_database_url_may_name_a_socket_directory():
    entry = Env({"X": "postgresql://postgres@/portal?host=/run/pg"}).database("X")
    assert (entry["HOST"], entry["PORT"], entry["OPTIONS"]) == ("/run/pg", "", {})


def test_a_list_drops_blanks():
    assert Env({"X": " a, b ,,"}).names("X") == ["a", "b"]


def test_every_problem_is_told_at_once():
    env = Env({"A": "", "B": "x", "C": "mysql://h/d"})
    env.text("A")
    env.number("B", 1)
    env.database("C")
    with pytest.raises(EnvironmentNotRight) as refusal:
        env.check()
    assert [problem.split()[0] for problem in refusal.value.problems] == ["A", "B", "C"]
    assert all(problem in str(refusal.value) for problem in refusal.value.problems)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("secret", "hush-hush"),
        ("database", "postgresql://user:hush-hush/x@host/db"),
        ("database", "mysql://user:hush-hush@host/db"),
        ("database", "postgresql://user:hush-hush@host"),
        ("redis", "redis://:hush-hush/x@host/0"),
        ("redis", "redis://:hush-hush@host/first"),
    ],
)
def test_a_complaint_never_quotes_a_secret(kind, value):
    env = Env({"X": value})
    READS[kind](env)
    assert env.problems
    assert "hush" not in " ".join(env.problems)


def test_asked_again_the_environment_has_no_complaints_yet():
    env = Env({"X": "x"})
    env.number("X", 1)
    assert env.again().problems == []
    assert env.again().text("X") == "x"
