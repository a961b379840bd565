"""The app that serves: settings, URLs, start-up. It holds no models."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
