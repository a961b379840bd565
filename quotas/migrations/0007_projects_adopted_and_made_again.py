"""What operators ask of identity endpoints: a project adopted, or made again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("quotas", "0006_delivery_to_its_end"),
    ]

    operations = [
        migrations.AddField(
            model_name="target",
            name="adopt_external_id",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="target",
            name="name_taken_by",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="target",
            name="recreate_external_id",
            field=models.CharField(blank=True, max_length=255),
        ),
    ]
