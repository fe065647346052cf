from collections.abc import Callable
from typing import Any

# An operation: the backend, then the parameters by wire name; the result by wire name.
Handler = Callable[..., dict[str, Any]]
