#!/usr/bin/env python
"""Django's command line for the portal."""

import os
import sys

from django.core.management import execute_from_command_line

from drportal import probes
from drportal.settings.env import EnvironmentNotRight, env


def main() -> None:
    """Run the command named in `sys.argv`, with the local settings unless others are chosen.

    With a wrong environment it says all that is wrong with it and exits 1.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "drportal.settings.local")
    try:
        execute_from_command_line(sys.argv)
    except EnvironmentNotRight as error:
        # Services whose addresses are well formed are tried too, so that one look shows it all.
        found = dict.fromkeys([*error.problems, *probes.problems(env)])
        sys.exit("The environment is not right:\n  " + "\n  ".join(found))


if __name__ == "__main__":
    main()
