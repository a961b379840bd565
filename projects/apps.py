"""The app that answers: who?"""

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from portal.lib import metrics


class ProjectsConfig(AppConfig):
    name = "projects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # An import that needs the loaded models.
        from projects.queries.directory import collect_directory
        from projects.queries.eras import begin_where_moved
        from projects.queries.mail import collect_mail
        from projects.queries.webhooks import collect_webhooks

        connection_created.connect(begin_where_moved)
        metrics.register("directory", collect_directory)
        metrics.register("mail", collect_mail)
        metrics.register("webhooks", collect_webhooks)
