"""The catalogue grows after an import: what it names since stays as it is until it is booked."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command

from quotas.models import KeptLimit, ProjectHandle, Target
from quotas.states import KeptWhy, TargetState
from quotas.tests.importing.test_import import converge_all, run
from quotas.tests.importing.town import RULES, SITE, Town, plain_quota, quotas_of

pytestmark = pytest.mark.django_db

COMPUTE = SITE.replace("[nova, cinder]", "[nova]").replace(
    "      storage: [storage-a, storage-b]\n", ""
)
OWN = "projects: {own: {name: Own, unit: it}}\n"


def load(text: str, folder: Path) -> str:
    file, said = folder / "site.yaml", io.StringIO()
    file.write_text(text)
    call_command("load_catalogue", str(file), "--yes", stdout=said)
    return said.getvalue()


def fund(*amounts: str) -> None:
    call_command("fund", "--pool", *amounts, stdout=io.StringIO())


def test_a_service_that_comes_later_keeps_its_limits_until_they_are_booked(
    town: Town, tmp_path: Path
) -> None:
    load(COMPUTE + OWN, tmp_path)
    fund("*.*.vcpu=100000", "*.*.ram=100TiB")
    run(answers=RULES, folder=tmp_path)
    converge_all()
    said = load(SITE + OWN, tmp_path)
    fund("*.*.space=1000TiB")
    rows = KeptLimit.objects.filter(why=KeptWhy.NEW)
    assert f"{rows.count()} limits of projects that were taken over stay" in said
    town.sandbox.forget_calls()
    converge_all()
    # What is Remit's own begins with nothing there; no other is written.
    own = ProjectHandle.objects.get(project__name="Own").external_id
    assert {path.split("/")[-1] for _method, path in town.writes()} == {own}
    assert town.plain.volume_limits("geneva", own)["gigabytes"] == 0
    town.limit_volumes("atlas-01", "geneva", storage_a=-1)
    run(answers=RULES, folder=tmp_path)
    assert quotas_of("atlas-00") == plain_quota()
    assert quotas_of("atlas-01") == plain_quota(geneva_a_space=0)
    # What was read and is in doubt is asked about as any other.
    left = KeptLimit.objects.filter(
        target__project__name="atlas-01", target__endpoint__slug="cinder-geneva"
    )
    assert set(left.order_by("pk").values_list("limit__key", "why", "seen")) == {
        ("gigabytes", "beside", 300 * 2**30), ("gigabytes_storage-a", "unlimited", -1),
    }  # fmt: skip
    assert not rows.exists()
    town.sandbox.forget_calls()
    converge_all()
    assert town.writes() == []
    assert set(Target.objects.order_by("pk").values_list("state", flat=True)) == {
        TargetState.APPLIED
    }
