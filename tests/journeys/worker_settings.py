"""The settings of the workers that the journeys start: the suite's own, with a `Killer`."""

import os

from drportal.settings.test import *  # noqa: F403  # a settings module is its names
from drportal.settings.test import DATABASES, LOGGING

# The journeys hand over the very database that the suite made; it is no test database here.
DATABASES["default"]["CONN_MAX_AGE"] = 0
if "KILLS" in os.environ:
    LOGGING["handlers"]["killer"] = {"class": "tests.journeys.kills.Killer"}
    LOGGING["loggers"]["drportal.checkpoint"] = {"handlers": ["killer"], "level": "DEBUG"}
