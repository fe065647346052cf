"""A developer's machine and the demo: plain HTTP, everything else as in production."""

from drportal.settings.base import *  # noqa: F403  # a settings module is its names
from drportal.settings.env import env

DEBUG = env.flag("DEBUG", default=False)

env.check()
