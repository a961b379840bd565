"""Events can be added, never changed or removed."""

from django.db import migrations

from portal.lib.append_only import append_only, create_function


class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial")]
    operations = [create_function(), append_only("projects_event")]
