"""The settings of the workers that `chaos` kills: a developer's machine's, with a `Reaper`."""

from drportal.settings.local import *  # noqa: F403  # a settings module is its names
from drportal.settings.local import LOGGING

LOGGING["handlers"]["reaper"] = {"class": "tests.performance._reaper.Reaper"}
LOGGING["loggers"]["drportal.checkpoint"] = {
    "handlers": ["reaper"],
    "level": "DEBUG",
    "propagate": False,
}
