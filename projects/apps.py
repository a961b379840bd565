"""The app that answers: who?"""

from django.apps import AppConfig

from portal.lib import metrics


class ProjectsConfig(AppConfig):
    name = "projects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # An import that needs the loaded models.
        from projects.queries.webhooks import collect_webhooks

        metrics.register("webhooks", collect_webhooks)
