"""Transfers and decisions can be added, never changed or removed."""

from django.db import migrations

from portal.lib.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("quotas", "0001_initial"), ("projects", "0002_append_only")]
    operations = [
        append_only("quotas_transfer"),
        append_only("quotas_decision"),
        append_only("quotas_decisionline"),
    ]
