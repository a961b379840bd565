"""The WSGI door: `gunicorn -c portal/gunicorn_conf.py portal.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()

# All views, before gunicorn forks: its processes share them, and the first call of one that
# took another's place is as quick as any.
get_resolver().url_patterns  # noqa: B018 - read for what it imports
