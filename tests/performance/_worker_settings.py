"""The settings of the workers that `engine` measures: a developer's machine's, with a `Meter`."""

from drportal.settings.local import *  # noqa: F403  # a settings module is its names
from drportal.settings.local import LOGGING

LOGGING["handlers"]["meter"] = {"class": "tests.performance._meter.Meter"}
LOGGING["loggers"]["drportal.checkpoint"] = {"handlers": ["meter"], "level": "DEBUG"}
