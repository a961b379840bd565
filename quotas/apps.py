"""The app that answers: how much, and where?"""

from django.apps import AppConfig

from quotas.problems import known


class QuotasConfig(AppConfig):
    name = "quotas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A file of known problems that cannot be used stops the start, not the first error."""
        known()
