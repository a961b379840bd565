"""How is it served? Settings, start-up, health; the apps know what it is about."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
