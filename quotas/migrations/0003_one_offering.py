"""Composite foreign keys: what Django's single-column keys cannot say.

Both accounts of a transfer are of its offering; a line's project is its request's.
"""

from django.db import migrations

ADD = """
ALTER TABLE quotas_transfer
    ADD CONSTRAINT transfer_debit_same_offering
        FOREIGN KEY (debit_id, offering_id) REFERENCES quotas_account (id, offering_id),
    ADD CONSTRAINT transfer_credit_same_offering
        FOREIGN KEY (credit_id, offering_id) REFERENCES quotas_account (id, offering_id);
ALTER TABLE quotas_requestline
    ADD CONSTRAINT requestline_same_project
        FOREIGN KEY (request_id, project_id) REFERENCES quotas_quotarequest (id, project_id);
"""
DROP = """
ALTER TABLE quotas_requestline DROP CONSTRAINT requestline_same_project;
ALTER TABLE quotas_transfer
    DROP CONSTRAINT transfer_credit_same_offering, DROP CONSTRAINT transfer_debit_same_offering;
"""


class Migration(migrations.Migration):
    dependencies = [("quotas", "0002_append_only")]
    operations = [migrations.RunSQL(ADD, DROP)]
