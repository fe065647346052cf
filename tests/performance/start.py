"""How long the portal takes from nothing to a page: services, migrations, web."""

import os
import subprocess
import sys
import time
from typing import Any

from drportal.embedded.places import free_port
from drportal.embedded.portal import Portal
from drportal.embedded.stack import Stack


def measure(stack: Stack, _arguments: list[str]) -> dict[str, Any]:
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input"],
        env=dict(os.environ) | stack.environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    migrated = time.monotonic()
    Portal(stack, port=free_port()).start_web()
    return {
        "migrate_seconds": round(migrated - started, 3),
        "web_seconds": round(time.monotonic() - migrated, 3),
    }
