"""The app that answers: how much, and where?"""

from django.apps import AppConfig

from portal.lib import metrics
from quotas.problems import known


class QuotasConfig(AppConfig):
    name = "quotas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A file of known problems that cannot be used stops the start, not the first error."""
        # An import that needs the loaded models.
        from quotas.queries.metrics import collect_delivery

        known()
        metrics.register("delivery", collect_delivery)
