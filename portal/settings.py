"""One settings file, read from the environment. (Start; the house issue completes it.)"""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "not-a-secret-yet"
DEBUG = True
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles", "django.contrib.postgres",
    "rest_framework", "drf_spectacular", "django_htmx",
    "portal", "projects", "quotas",
]
AUTH_USER_MODEL = "projects.User"
ROOT_URLCONF = "portal.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "remit"}}
USE_TZ = True
TIME_ZONE = "UTC"
