"""Settings that hold everywhere. What differs comes from the environment, through `env`."""

from pathlib import Path
from typing import Any

import django_stubs_ext

from drportal.settings.env import env

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent.parent

DEBUG = False
SECRET_KEY = env.secret("SECRET_KEY")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "guardian",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "django_celery_beat",
    "drportal.apps.PortalConfig",
    "drportal.mirror.apps.MirrorConfig",
    "drportal.api.apps.ApiConfig",
    "drportal.adminkit.apps.AdminkitConfig",
    "audit.apps.AuditConfig",
    "protection.apps.ProtectionConfig",
    "recovery.apps.RecoveryConfig",
    "queries.apps.QueriesConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "drportal.middleware.CorrelationMiddleware",
    "audit.middleware.SourceAddressMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "drportal.urls"
WSGI_APPLICATION = "drportal.wsgi.application"
ASGI_APPLICATION = "drportal.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# One engine everywhere: PostgreSQL.
DATABASES = {
    "default": {
        **env.database("DATABASE_URL"),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "drportal",
    },
}

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# No anonymous user with permissions of its own: nobody is somebody (default deny).
ANONYMOUS_USER_NAME = None
GUARDIAN_RAISE_403 = False
LOGIN_URL = "admin:login"
SESSION_COOKIE_AGE = 12 * 3600

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}

# A body larger than this is refused before it is read: nothing that the portal takes is near it.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["drportal.api.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["drportal.api.parsing.LimitedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "drportal.api.pagination.NewestFirst",
    "DEFAULT_FILTER_BACKENDS": ["drportal.api.filters.DeclaredFilters"],
    "DEFAULT_SCHEMA_CLASS": "drportal.api.schema.PortalSchema",
    "EXCEPTION_HANDLER": "drportal.api.problem.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "DR portal",
    "DESCRIPTION": "Orchestrates disaster recovery on AWS with Elastic Disaster Recovery (DRS).",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ExecutionKind": "recovery.states.Kind",
        "ExecutionState": "recovery.states.ExecutionState",
        "WaveState": "recovery.states.WaveState",
        "ServerState": "recovery.states.ServerState",
        "ServerPhase": "recovery.states.Phase",
        "JobState": "recovery.states.JobState",
        "Verdict": "recovery.engine.measures.Verdict",
        "DeliveryState": "recovery.models.notices.DeliveryState",
        "NoticeMedium": "recovery.models.notices.Medium",
        "TerminationState": "recovery.states.TerminationState",
        "InstanceOutcome": "recovery.states.InstanceOutcome",
        "FailbackState": "recovery.failback_states.FailbackState",
        "FailbackGate": "recovery.failback_states.Gate",
        "FailbackOrigin": "recovery.failback_states.Origin",
        "ReturnState": "recovery.failback_states.ReturnState",
        "DryRunAgainst": "recovery.services.dry_runs.Against",
        "PreflightState": "recovery.states.PreflightState",
        "CheckOutcome": "recovery.states.CheckOutcome",
        "ServerCheckKind": "recovery.choices.ServerCheckKind",
        "ServerCheckState": "recovery.states.ServerCheckState",
        "SyncKind": "protection.choices.SyncKind",
        "SyncState": "protection.choices.SyncState",
        "RegionStatus": "protection.choices.RegionStatus",
        "Readiness": "protection.choices.Readiness",
        "Selection": "protection.choices.Selection",
        "CapacityState": "protection.choices.CapacityState",
        "CapacityMeasure": "protection.choices.Measure",
        "SettingsLevel": "protection.choices.SettingsLevel",
        "LaunchStanding": "protection.choices.LaunchStatus",
    },
}

# Celery: a message is a hint, the database is the truth.
CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_ROUTES = {
    # What hangs in a channel must hold up neither the engine nor a sync.
    "recovery.send_notices": {"queue": "notices"},
    # Asking AWS about whole plans takes its time, and must not hold up what is being recovered.
    "recovery.carry_out_preflight": {"queue": "sync"},
    # What a launched server does not answer must not hold up the next launch.
    "recovery.run_checks": {"queue": "checks"},
    "recovery.*": {"queue": "engine"},
    "protection.*": {"queue": "sync"},
    "mirror.*": {"queue": "mirror"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 60.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A broker that is away must not hold up whoever sends a hint to it.
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "max_retries": 1,
    "interval_start": 0,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_TIMEZONE = "UTC"
DJANGO_CELERY_BEAT_TZ_AWARE = True

# AWS. Without an endpoint boto3 finds the real one; with it, every service is asked there.
AWS_ENDPOINT_URL = env.url("AWS_ENDPOINT_URL", {"http", "https"}, "")
AWS_DEFAULT_REGION = env.text("AWS_DEFAULT_REGION", "us-east-1")
AWS_READ_TIMEOUT_SECONDS = env.number("AWS_READ_TIMEOUT_SECONDS", 30, low=1, high=300)
DRS_REGIONS = env.names("DRS_REGIONS")
MIRROR_REGION = env.text("MIRROR_REGION", AWS_DEFAULT_REGION)
MIRROR_TABLE_PREFIX = env.table_prefix("MIRROR_TABLE_PREFIX", "drportal-")
MIRROR_PROJECTIONS = ["protection.mirror", "recovery.mirror", "audit.mirror"]

# The engine.
LEASE_SECONDS = env.number("LEASE_SECONDS", 8, low=2, high=300)
LAUNCH_SETTLE_SECONDS = env.number("LAUNCH_SETTLE_SECONDS", 8, low=1, high=600)
# A little less than beat's tick, so that no tick comes just too early.
POLL_FASTEST_SECONDS = env.number("POLL_FASTEST_SECONDS", 0.8, low=0.1, high=60)
POLL_SLOWEST_SECONDS = env.number("POLL_SLOWEST_SECONDS", 15, low=1, high=300)

# Failback. What lags further behind than this is not ready to be launched back.
FAILBACK_MOST_LAG_SECONDS = env.whole("FAILBACK_MOST_LAG_SECONDS", 60, low=1, high=86_400)

# Preflights. A start needs one that is no older than it is worth.
PREFLIGHT_EVERY_MINUTES = env.whole("PREFLIGHT_EVERY_MINUTES", 30, low=5, high=1440)
PREFLIGHT_WORTH_MINUTES = env.whole("PREFLIGHT_WORTH_MINUTES", 15, low=1, high=1440)
# How long the link in a mail that asks somebody to approve is good for.
APPROVAL_LINK_HOURS = env.whole("APPROVAL_LINK_HOURS", 24, low=1, high=24)
# How long an execution waits for a second person's approval before it is cancelled.
APPROVAL_HOURS = env.whole("APPROVAL_HOURS", 24, low=1, high=168)
# How long what was asked anew before a wave lets it launch.
WAVE_PREFLIGHT_WORTH_SECONDS = env.whole("WAVE_PREFLIGHT_WORTH_SECONDS", 120, low=10, high=3600)
PREFLIGHTS_KEPT_DAYS = env.whole("PREFLIGHTS_KEPT_DAYS", 14, low=1, high=3650)

# Drills by schedule: how long before its time one is announced, and whoever must approve it asked;
# and how long after it what keeps it from starting is looked at again.
DRILL_ANNOUNCED_HOURS = env.whole("DRILL_ANNOUNCED_HOURS", 24, low=1, high=720)
DRILL_START_WINDOW_MINUTES = env.whole("DRILL_START_WINDOW_MINUTES", 60, low=5, high=1440)
# How long executions are kept that have ended and of which nothing runs; 0: for ever.
EXECUTIONS_KEPT_DAYS = env.whole("EXECUTIONS_KEPT_DAYS", 0, low=0, high=36_500)
# How often is told again of a plan whose drill is overdue.
DRILL_OVERDUE_REMINDER_DAYS = env.whole("DRILL_OVERDUE_REMINDER_DAYS", 7, low=1, high=365)
# How long before a drill is cleaned up by itself people are told, so that they can veto it.
CLEAN_UP_WARNING_MINUTES = env.whole("CLEAN_UP_WARNING_MINUTES", 60, low=1, high=10_080)
# Simulated instances may be on the machine itself; no instance of AWS has such an address.
CHECKS_MAY_ASK_LOOPBACK = bool(AWS_ENDPOINT_URL)

LOG_LEVEL = env.one_of("LOG_LEVEL", {"DEBUG", "INFO", "WARNING", "ERROR"}, "INFO")
LOG_FORMAT = env.one_of("LOG_FORMAT", {"json", "text"}, "json")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "drportal.observability.JsonFormatter"},
        "text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "filters": {"masked": {"()": "drportal.masking.MaskingFilter"}},
    "handlers": {
        "nowhere": {"class": "logging.NullHandler"},
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["masked"],
        },
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        name: {"level": LOG_LEVEL}
        for name in ("drportal", "protection", "recovery", "queries", "audit", "celery")
    }
    # They write addresses, which hold secrets, into their logs.
    | {
        "apprise": {"handlers": ["nowhere"], "propagate": False},
        "urllib3": {"level": "WARNING"},
    },
}

# Mail and other notices. Without EMAIL_HOST no mail is sent, and the delivery log says so; without
# PUBLIC_URL notices carry no link.
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_PORT = env.whole("EMAIL_PORT", 25, low=1, high=65_535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD", "", at_least=1)
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=False)
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL", default=False)
EMAIL_TIMEOUT = env.number("EMAIL_TIMEOUT_SECONDS", 10, low=1, high=60)
DEFAULT_FROM_EMAIL = env.text("MAIL_FROM", "drportal@localhost")
PUBLIC_URL = env.url("PUBLIC_URL", {"http", "https"}, "").rstrip("/")
# How often a gate that stays closed is told of again, and from when on the plan's owner is told.
NOTICE_REMINDER_MINUTES = env.number("NOTICE_REMINDER_MINUTES", 30, low=1, high=10_080)
NOTICE_ESCALATION_MINUTES = env.number("NOTICE_ESCALATION_MINUTES", 60, low=1, high=10_080)

X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
