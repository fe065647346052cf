"""The test suite: the services are embedded unless the environment names others."""

import os

# The embedded services' addresses: `drportal.embedded` starts them, these only find them.
os.environ.setdefault("SECRET_KEY", "only-for-tests-" * 5)
os.environ.setdefault("DATABASE_URL", "postgresql://postgres@/postgres?host=/nowhere")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")

from drportal.settings.base import *  # noqa: F403  # a settings module is its names
from drportal.settings.env import env  # it reads what is set above

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True  # static files are looked for when asked for: none are collected here
LOG_LEVEL = "WARNING"

env.check()
