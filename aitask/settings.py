"""Settings. Values come from environment variables (docs/configuration.md); an invalid one is an error."""

from __future__ import annotations

import hashlib
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF

from aitask import environment
from aitask.backup import switch

django_stubs_ext.monkeypatch()  # classes such as ModelAdmin are generic only in the type stubs

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = environment.folder("DATA_DIR", BASE_DIR / "data")
switch.finish(DATA_DIR)  # a restore that was interrupted
BACKUP_DIR = environment.folder("BACKUP_DIR", DATA_DIR / "backups")
BACKUP_DAYS = environment.number("BACKUP_DAYS", 14, least=0, most=3650, unit=" of days")
SECRET_KEY = environment.secret("SECRET_KEY", DATA_DIR / "secret_key")
DEBUG = environment.boolean("DEBUG", False)
LOCAL_NAMES = ["aitask.localhost", "localhost", "127.0.0.1", "[::1]"]  # the first is ours: aitask/own_host.py
ALLOWED_HOSTS = environment.hosts("ALLOWED_HOSTS", LOCAL_NAMES, debug=DEBUG)
CSRF_TRUSTED_ORIGINS = environment.origins("CSRF_TRUSTED_ORIGINS")
PREVIEW_DOMAIN = environment.preview_domain("PREVIEW_DOMAIN", CSRF_TRUSTED_ORIGINS)
ALLOW_REMOTE = environment.boolean("ALLOW_REMOTE", False)
CLI_TRIAL_SECONDS = environment.number("CLI_TRIAL_SECONDS", 60, least=5, most=240, unit=" of seconds")
HIDE_DATA_DIR = environment.boolean("HIDE_DATA_DIR", False)
SSH_CONFIG = environment.file("SSH_CONFIG")
SILENT_MINUTES = environment.minutes("SILENT_MINUTES", 10)
MAX_REQUEST_BYTES = environment.number("MAX_REQUEST_MB", 3, least=1, most=1000, unit=" of MB") * 1_000_000
# The web server refuses larger bodies (aitask/lib/http_limits.py). Django must not refuse smaller ones.
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_REQUEST_BYTES
FILE_UPLOAD_MAX_MEMORY_SIZE = 256 << 10  # what is larger waits in a file, so that uploads need no memory
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
ATTACHMENT_BYTES = environment.number("ATTACHMENT_MB", 20, least=1, most=500, unit=" of MB") << 20
TASK_ATTACHMENTS_BYTES = (
    environment.number("ATTACHMENTS_PER_TASK_MB", 100, least=1, most=10_000, unit=" of MB") << 20
)
REDIS_URL = environment.redis_url("REDIS_URL")
TRUSTED_PROXIES = environment.number("TRUSTED_PROXIES", 0, least=0, most=10)

INSTALLED_APPS = [
    "aitask",  # before django_q, whose qcluster command it replaces
    "tasks",
    "terminal",
    "usage",
    "workspaces",
    "aitask.admin_config.OwnAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "csp",
    "django_htmx",
    "django_q",
]
# django-ninja's files without its app, which would import all of it into each process.
NINJA_FOLDER = environment.package_folder("ninja")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "aitask.security.no_previews",
    "aitask.own_host.one_name",  # before anything that sets a cookie
    "aitask.api.middleware.api_on_demand",
    "csp.middleware.CSPMiddleware",
    "aitask.security.permissions_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",  # answers for static files, which all may store
    "aitask.security.CompressionMiddleware",
    "aitask.security.private_pages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "aitask.urls"
ASGI_APPLICATION = "aitask.asgi.application"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates", NINJA_FOLDER / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": environment.database("DATABASE_URL", default=DATA_DIR / "db.sqlite3")
}
_database = DATABASES["default"]
_options = _database.setdefault("OPTIONS", {})
if _database["ENGINE"].endswith("sqlite3"):
    # In a DEFERRED transaction, a read followed by a write may fail at once; IMMEDIATE waits for the lock.
    _options |= {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    if "aitask.asgi" in sys.modules:  # the web process has short-lived threads, which share connections
        _database["ENGINE"] = "aitask.lib.pooled_sqlite3"
    else:
        _database["CONN_MAX_AGE"] = None
elif "aitask.asgi" in sys.modules:
    # The web process has short-lived threads. (The worker can't use a pool: it would not survive forks.)
    _options["pool"] = {"min_size": 1, "max_size": 20, "timeout": 10}
else:
    _database |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "aitask.guessing.GuardedBackend",
    "django.contrib.auth.backends.ModelBackend",  # for its sessions; it is never asked about passwords
]
# An account gives access to shells, so guessing is slowed down: axes counts, aitask/guessing.py waits.
AXES_LOCK_OUT_AT_FAILURE = False
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "aitask.lib.clients.network_of"
AXES_LOCKOUT_TEMPLATE = "aitask/locked_out.html"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# Browsers send cookies to every port of a host, so each installation uses its own names.
_installation = hashlib.sha256(f"cookies of {SECRET_KEY}".encode()).hexdigest()[:6]
# A page of a preview could otherwise set cookies for a parent domain that the app's name is below, too.
_prefix = "__Host-" if PREVIEW_DOMAIN else ""
SESSION_COOKIE_NAME = f"{_prefix}aitask_session_{_installation}"
CSRF_COOKIE_NAME = f"{_prefix}aitask_csrf_{_installation}"
PREVIEW_COOKIE_NAME = f"aitask_preview_{_installation}"  # with HTTPS it gets the prefix, too
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
# Cookies are secure if all origins use HTTPS; without origins, logins by http://127.0.0.1 must work.
_https = bool(CSRF_TRUSTED_ORIGINS) and all(o.startswith("https://") for o in CSRF_TRUSTED_ORIGINS)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

_own_broker = {"orm": "default", "broker_class": "aitask.lib.queue.DoorbellBroker"}
_redis_broker = {"redis": REDIS_URL, "broker_class": "aitask.lib.redis_queue.ListedRedis"}
# The time for a retry starts when the pusher prefetches a job, so it must be several timeouts long.
Q_CLUSTER: dict[str, Any] = {
    "name": "aitask",
    "workers": 4,
    "queue_limit": 1,
    "bulk": 1,
    "poll": 0,  # The broker waits for a ring instead.
    "guard_cycle": 1,  # It must divide timeout + 3: django-q looks whether exactly 0 s are left.
    "timeout": 600,
    "retry": 2400,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 500,
    **(_redis_broker if REDIS_URL else _own_broker),
}

# Carries the doorbell if Redis is set up. The pubsub layer has no capacity that a burst could exceed.
_layer = {
    "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "CONFIG": {
        "hosts": [{"address": REDIS_URL, "socket_connect_timeout": 5, "health_check_interval": 15}],
        "prefix": f"aitask_{_installation}",
    },
}
CHANNEL_LAYERS: dict[str, Any] = {"default": _layer} if REDIS_URL else {}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

# Static files are served from the apps' folders, so an upgrade needs no collectstatic. Browsers revalidate
# our own files each time (304 if unchanged); vendored files have their version in the path.
STATIC_URL = "static/"
STATICFILES_DIRS = [NINJA_FOLDER / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 0
WHITENOISE_IMMUTABLE_FILE_TEST = r"^.*/static/vendor/.+-\d[^/]*/.+$"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "aitask.logs.OneLine",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "filters": {"repeats": {"()": "aitask.logs.Repeats"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["repeats"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django-q": {"level": "WARNING"},
        "asyncssh": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "channels_redis": {"level": "CRITICAL"},  # the doorbell logs its own message
    },
}
