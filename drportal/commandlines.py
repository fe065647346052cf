"""How the portal's processes are started: gunicorn and Celery with the portal's options."""

import sys

# Without queries and referrers, which may hold what is nobody's business.
_ACCESS = '%(h)s %(u)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s "%(a)s"'
ALL_QUEUES = "engine,checks,sync,mirror,notices,default"


def web(*, bind: str, workers: int = 2, threads: int = 4) -> list[str]:
    """The admin and the API, at `bind` (HOST:PORT)."""
    return [
        *(sys.executable, "-m", "gunicorn", "drportal.wsgi:application"),
        *("--bind", bind),
        *("--workers", str(workers)),
        *("--threads", str(threads)),
        *("--access-logfile", "-"),
        *("--access-logformat", _ACCESS),
    ]


def worker(*, name: str, queues: str = ALL_QUEUES, concurrency: int = 4) -> list[str]:
    """A worker on the comma-separated `queues`. Its `name` is unique on its host."""
    return [
        *(sys.executable, "-m", "celery", "-A", "drportal", "worker"),
        *("--queues", queues),
        *("--concurrency", str(concurrency)),
        *("--hostname", f"{name}@%h"),
        *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    ]


def beat() -> list[str]:
    """Beat. Exactly one must run."""
    return [
        *(sys.executable, "-m", "celery", "-A", "drportal", "beat"),
        *("--loglevel", "INFO", "--pidfile="),
    ]
