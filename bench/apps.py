"""The bench as a Django app, so that `manage.py make_site` is found; never in production."""

from django.apps import AppConfig


class BenchConfig(AppConfig):
    name = "bench"
