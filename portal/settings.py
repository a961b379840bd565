"""All settings, from the environment through strict readers; nothing is read elsewhere.

A wrong or unsafe value refuses to start with one sentence (portal/lib/env.py,
portal/production.py). Every variable is read once, here or in a file that this takes in, under its
own name.
"""

from portal.connecting import (  # noqa: F401 - Django reads them here
    BASE_DIR,
    BROKER_PAUSE_SECONDS,
    BROKER_SOCKET_TIMEOUT,
    BROKER_URL,
    CELERY_BROKER_URL,
    CELERY_WORKER_ENABLE_REMOTE_CONTROL,
    DATA_DIR,
    DATABASE_POOLED,
    DATABASE_SESSION,
    DATABASE_URL,
    DATABASES,
    LIMITS_SOCKET_TIMEOUT,
    LIMITS_URL,
    PREPARED_STATEMENTS,
)
from portal.delivering import (  # noqa: F401 - Django reads them here
    CALL_TIMEOUT_SECONDS,
    CLOUDS_YAML,
    ENDPOINT_CALLS_PER_SECOND,
    ENDPOINT_CONCURRENCY,
    KNOWN_PROBLEMS,
    LEASE_SECONDS,
    OBSERVE_SWEEP_SECONDS,
    QUOTA_DRIVERS,
    REFUSED_RECHECK_SECONDS,
    RETRY_BASE_SECONDS,
    RETRY_CAP_SECONDS,
    SWEEP_SECONDS,
)
from portal.directory import (  # noqa: F401 - read by their names
    DIRECTORY,
    DIRECTORY_HAS_GROUPS,
    DIRECTORY_ISSUER,
    DIRECTORY_READS,
    DIRECTORY_SECONDS,
    DIRECTORY_SHRINK_LEAST,
    DIRECTORY_SHRINK_PERCENT,
    DIRECTORY_START_TLS,
    DIRECTORY_URL,
)
from portal.lib import env
from portal.lib.logs import logging_of
from portal.lib.networks import networks_from
from portal.lib.peppers import peppers_from
from portal.lib.secret_key import stored_secret_key
from portal.lib.servers.supervisor import make_data_dir
from portal.mail import (  # noqa: F401 - Django reads them here
    DEFAULT_FROM_EMAIL,
    EMAIL_HOST,
    EMAIL_HOST_PASSWORD,
    EMAIL_HOST_USER,
    EMAIL_PORT,
    EMAIL_TIMEOUT,
    EMAIL_USE_SSL,
    EMAIL_USE_TLS,
    MAIL_ANSWER_SECONDS,
    MAIL_CONNECTIONS,
    MAIL_DIGEST_HOUR,
    MAIL_FOLDER,
    MAIL_GATHER_SECONDS,
    MAIL_GIVE_UP_DAYS,
    MAIL_LOG_DAYS,
    MAIL_REPLY_TO,
    SITE_URL,
)
from portal.observing import (  # noqa: F401 - Django reads them here
    OBSERVE_EACH_SECONDS,
    OBSERVE_SECONDS,
    PEAK_DAYS,
    SURVEY_TIMEOUT_SECONDS,
    SURVEYS_AT_ONCE,
    USAGE_THRESHOLDS,
)
from portal.production import Production, refusals
from portal.projects import (  # noqa: F401 - Django reads them here
    CALENDAR_SECONDS,
    END_NOTICE_DAYS,
    LEAVER_RETURN_DAYS,
    PERSONAL_PROJECT_PRESET,
    PERSONAL_PROJECT_UNIT,
    PROJECT_GRACE_DAYS,
    PROJECT_NAME_PATTERN,
    PROJECT_OFFER_DAYS,
    PROJECT_RENEW_DAYS,
    PROJECTS_MUST_END,
    PROPOSALS_AT_ONCE,
)
from portal.reclaim import (  # noqa: F401 - Django reads them here
    RECLAIM_ASK_DAYS,
    RECLAIM_EVIDENCE_DAYS,
    RECLAIM_HEADROOM,
    RECLAIM_UNDO_DAYS,
)
from portal.rest import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401 - Django reads them here
from portal.schedule import beat_schedule
from portal.signing_in import (  # noqa: F401 - Django and axes read them here
    AXES_CLIENT_IP_CALLABLE,
    AXES_COOLOFF_TIME,
    AXES_DISABLE_ACCESS_LOG,
    AXES_ENABLE_ADMIN,
    AXES_FAILURE_LIMIT,
    AXES_LOCKOUT_CALLABLE,
    AXES_LOCKOUT_PARAMETERS,
    AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT,
    AXES_RESET_ON_SUCCESS,
    AXES_USERNAME_FORM_FIELD,
    AXES_VERBOSE,
    OIDC_GROUPS_CLAIM,
    OIDC_NAME,
    registration,
)
from portal.webhooks import (  # noqa: F401 - Django reads them here
    WEBHOOK_ALLOW_HTTP,
    WEBHOOK_ALLOW_PRIVATE,
    WEBHOOK_CONCURRENCY,
    WEBHOOK_DISABLE_DAYS,
    WEBHOOK_GIVE_UP_DAYS,
    WEBHOOK_LOG_DAYS,
    WEBHOOK_REFUSE,
    WEBHOOK_TIMEOUT_SECONDS,
)

# --- Which kind of site is this, and where are its servers? ---------------------------

# Whoever names a database of their own means it, unless they say otherwise.
REMIT_ENV = env.text(
    "REMIT_ENV",
    "production" if DATABASE_URL else "development",
    choices=("development", "production"),
)
IS_PRODUCTION = REMIT_ENV == "production"
DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.items(
    "ALLOWED_HOSTS", () if IS_PRODUCTION else ("localhost", "127.0.0.1", "[::1]")
)
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS")
SECURE_COOKIES = env.boolean("SECURE_COOKIES", default=IS_PRODUCTION)
# Passwords kept by Remit itself: for trying out, and for a way in before single sign-on.
LOCAL_ACCOUNTS = env.boolean("LOCAL_ACCOUNTS", default=not IS_PRODUCTION)
# `make run` says that its cloud is contrib/sandbox; pages say so too.
SANDBOX = env.boolean("SANDBOX", default=False)

if IS_PRODUCTION:
    _sentences = list(
        refusals(
            Production(
                debug=DEBUG,
                secret_key=SECRET_KEY,
                allowed_hosts=ALLOWED_HOSTS,
                csrf_trusted_origins=CSRF_TRUSTED_ORIGINS,
                has_database_url=bool(DATABASE_URL),
                has_broker_url=bool(BROKER_URL),
                secure_cookies=SECURE_COOKIES,
                sandbox=SANDBOX,
                sandbox_told_so=env.text("REMIT_SANDBOX") == "allow",
                local_accounts=LOCAL_ACCOUNTS,
                local_accounts_told_so=env.boolean("LOCAL_ACCOUNTS_IN_PRODUCTION", default=False),
                plain_directory=DIRECTORY_URL.startswith("ldap:") and not DIRECTORY_START_TLS,
            )
        )
    )
    if _sentences:
        raise env.Refused(_sentences)
elif not SECRET_KEY:
    make_data_dir(DATA_DIR)
    SECRET_KEY = stored_secret_key(DATA_DIR / "secret_key")

try:
    # What digests of tokens are keyed with, the newest first: TOKEN_PEPPERS=id:value,id:value.
    TOKEN_PEPPERS = peppers_from(env.items("TOKEN_PEPPERS"), [SECRET_KEY, *SECRET_KEY_FALLBACKS])
except ValueError as _error:
    raise env.Refused(
        [f"TOKEN_PEPPERS: {str(_error)!r} is none: write id:value, 32 characters or more, commas."]
    ) from None

# The longest that a token may be in force; whoever makes one chooses less.
TOKEN_MOST_DAYS = env.integer("TOKEN_MOST_DAYS", 365, low=1, high=3_650)

# --- Sign-in at an identity provider ----------------------------------------------------

OIDC = registration(is_production=IS_PRODUCTION)
# What is done for everybody who signed in, in order; each is called with user, first_time, now.
ARRIVAL_STEPS = ["quotas.actions.personal.ask_for_personal"]
# What belongs to others being in some groups, in the same transaction: called with groups, now.
GROUP_STEPS = ["quotas.actions.routing.mark_groups"]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Rate limits of the API -------------------------------------------------------------

# A caller may make so many calls at once, and so many a minute in the long run; 0: no limits.
API_RATE_PER_MINUTE = env.integer("API_RATE_PER_MINUTE", 600, low=0, high=1_000_000)
API_RATE_BURST = env.integer("API_RATE_BURST", 100, low=1, high=100_000)

# --- Waiting for a decision -------------------------------------------------------------

# Working days until deciders are reminded (0: never) and until a request goes one level up;
# units say otherwise for what lies below them. Holidays stand in the site's file.
REMIND_AFTER_DAYS = env.integer("REMIND_AFTER_DAYS", 2, low=0, high=250)
ESCALATE_AFTER_DAYS = env.integer("ESCALATE_AFTER_DAYS", 5, low=1, high=250)
# Days of the week on which nobody is expected to decide; Monday is 0.
WEEKEND = env.weekdays("WEEKEND", ("sat", "sun"))

CELERY_BEAT_SCHEDULE = beat_schedule(
    sweep=SWEEP_SECONDS,
    observe=OBSERVE_SWEEP_SECONDS,
    calendar=CALENDAR_SECONDS,
    directory=DIRECTORY_SECONDS if DIRECTORY else None,
)

# --- The application ------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "axes",
    "portal",
    "projects",
    "quotas",
]
if not IS_PRODUCTION:
    # Its command fills a database with a made-up site.
    INSTALLED_APPS.append("bench")
MIDDLEWARE = [
    "portal.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "portal.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.sessions.SessionRulesMiddleware",
    "portal.middleware.SignInMiddleware",
    "portal.middleware.ReaderMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.DomainErrorMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "quotas.context.frame",
            ],
        },
    },
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "NAME": "jinja",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"environment": "portal.jinja.environment"},
    },
]
# A page of more than this is refused before it is read: no form of ours is that long.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# --- People ---------------------------------------------------------------------------

AUTH_USER_MODEL = "projects.User"
# The first counts failures and says no to whoever had too many of them.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "projects.auth.ProviderBackend",
    *(["projects.auth.LocalBackend"] if LOCAL_ACCOUNTS else []),
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"
# In the database, so that a broker that is down signs nobody out.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
# The longest that somebody stays signed in, and for how long without doing anything.
SESSION_COOKIE_AGE = env.integer("SESSION_SECONDS", 43_200, low=300, high=1_209_600)
SESSION_IDLE_SECONDS = env.integer("SESSION_IDLE_SECONDS", 7_200, low=60, high=1_209_600)
SESSION_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_NAME = "__Host-session" if SECURE_COOKIES else "session"
CSRF_COOKIE_SECURE = SECURE_COOKIES
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE_COOKIES else "csrf"
# htmx sends the token from the page, so no script needs to read the cookie.
CSRF_COOKIE_HTTPONLY = True

# --- Transport ------------------------------------------------------------------------

SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", default=IS_PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|metrics)$"]
SECURE_HSTS_SECONDS = env.integer(
    "HSTS_SECONDS", 31_536_000 if IS_PRODUCTION else 0, low=0, high=63_072_000
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.boolean("HSTS_INCLUDE_SUBDOMAINS", default=IS_PRODUCTION)
SECURE_HSTS_PRELOAD = env.boolean("HSTS_PRELOAD", default=IS_PRODUCTION)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Only behind a proxy that sets this header itself and strips it from clients.
if env.boolean("TRUST_X_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Proxies of the site, whose X-Forwarded-For says where a call comes from: networks, and "unix"
# where they reach the web processes by a socket of the file system.
_proxies = env.items("TRUSTED_PROXIES")
TRUSTED_UNIX_SOCKET = "unix" in _proxies
try:
    TRUSTED_PROXIES = networks_from(each for each in _proxies if each != "unix")
except ValueError as _error:
    raise env.Refused(
        [f"TRUSTED_PROXIES: {str(_error)!r} is no network: write 10.1.0.0/16, with commas."]
    ) from None

# --- Language and time ----------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = SECURE_COOKIES
LANGUAGE_COOKIE_HTTPONLY = True
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "UTC")

# --- Static files ---------------------------------------------------------------------

STATIC_URL = "static/"
# In development files are served from where they lie, and nothing is collected.
STATIC_ROOT = env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles")) if IS_PRODUCTION else None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
WHITENOISE_AUTOREFRESH = DEBUG

# --- Logs -----------------------------------------------------------------------------

LOG_LEVEL = env.text("LOG_LEVEL", "INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOGGING = logging_of(LOG_LEVEL)

# W004: a subject is unique within its issuer; LocalBackend asks for local accounts only.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
