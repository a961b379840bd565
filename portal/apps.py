"""The app that serves: settings, URLs, start-up. It holds no models."""

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.core import checks

from portal.lib import metrics


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # Imports that need the loaded settings.
        from portal import sessions
        from portal.health import collect_broker, collect_database, collect_limits
        from portal.pooled import check_sessions

        checks.register(check_sessions, checks.Tags.database)
        user_logged_in.connect(sessions.begin, dispatch_uid="portal.sessions")
        metrics.register("database", collect_database)
        metrics.register("limits", collect_limits)
        if settings.CELERY_BROKER_URL.startswith("redis"):
            metrics.register("broker", collect_broker)
