"""What a survey finds as it was before is compared for all projects at once."""

from datetime import timedelta

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from contrib.scale.cloud import ScaleCloud
from quotas.models import Account, Drift, KeptLimit, Limit, Target
from quotas.states import KeptWhy
from quotas.tests.site import NOW

from .test_surveys import survey_all


def test_what_differs_as_before_costs_no_statement_for_each_project(crowd: ScaleCloud) -> None:
    """As after an import that keeps what it found, where all projects differ for long."""
    targets = Target.objects.filter(endpoint__slug="neutron-geneva").order_by("pk")
    limit = Limit.objects.get(endpoint__slug="neutron-geneva", key="network")
    accounts = Account.objects.filter(offering__contributions__limit=limit)

    def keep(first: int, last: int) -> None:
        some = targets[first:last]
        accounts.filter(project__in=[each.project_id for each in some]).update(
            balance=F("balance") + 1
        )
        KeptLimit.objects.bulk_create(
            KeptLimit(target=each, limit=limit, why=KeptWhy.TOTAL, seen=7, kept_at=NOW)
            for each in some
        )
        survey_all("neutron-geneva")

    def statements() -> int:
        hour_ago = Now() - timedelta(hours=1)
        Drift.objects.update(confirmed_at=hour_ago)
        with CaptureQueriesContext(connection) as captured:
            survey_all("neutron-geneva")
        assert not Drift.objects.filter(confirmed_at__lte=hour_ago + timedelta(minutes=1)).exists()
        return len(captured)

    keep(0, 1)
    of_one = statements()
    keep(1, 30)
    assert Drift.objects.filter(kind="limit changed", ended_at=None).count() == 30
    assert statements() == of_one
    # What is otherwise than before is judged as ever.
    accounts.filter(project=targets[3].project_id).update(balance=F("balance") + 1)
    accounts.filter(project=targets[4].project_id).update(balance=F("balance") - 1)
    before = Drift.objects.get(target=targets[3]).wanted
    survey_all("neutron-geneva")
    assert before is not None
    assert Drift.objects.get(target=targets[3]).wanted == before + 1
    assert not KeptLimit.objects.filter(target=targets[4]).exists()
    assert Drift.objects.get(target=targets[4]).ended_at is not None
