import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], object], *, within: float = 20) -> None:
    """Return once the condition holds; fail when it does not within so many seconds."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s"
        pause.wait(0.02)
