"""Dry runs and the real calls after them: their plans, and every table before and after."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.utils import timezone

from quotas.models import Reading, Target
from quotas.queries.plan import Show, plan_of
from quotas.tests.api import ROOT, Caller
from quotas.tests.site import GIB, Site

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

DRY = "?dry_run=true"
VCPU, SPACE = "geneva.compute-a.vcpu", "geneva.storage-a.space"
BOTH = {"lines": {VCPU: 32, SPACE: 5 * GIB}, "project": "atlas-reco", "reason": "Run 4"}


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """{table: its rows}, of all that there is."""
    models = [each for app in ("projects", "quotas") for each in apps.get_app_config(app).models]
    assert len(models) > 40
    return {
        model._meta.db_table: list(model._default_manager.order_by("pk").values_list())
        for app in ("projects", "quotas")
        for model in apps.get_app_config(app).get_models()
    }


def plan(who: Caller, path: str, body: Mapping[str, Any], **headers: str) -> Any:
    """The plan of a call, which left nothing behind."""
    before = everything()
    answer = send(who, path + DRY, body, **headers)
    assert everything() == before
    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert found["dry_run"] is True
    return found


def send(who: Caller, path: str, body: Mapping[str, Any], **headers: str) -> "Answer":
    return who.client.post(ROOT + path, body, "application/json", headers=headers)


def done(who: Caller, path: str, body: Mapping[str, Any]) -> Any:
    answer = who.post(path, body)
    assert answer.status_code in (200, 201), answer.content
    return answer.json()


def read_all(site: Site, used: int = 0) -> None:
    """Every limit of the project was read: nothing is in force."""
    now = timezone.now()
    for target in Target.objects.filter(project=site.project):
        for limit in target.endpoint.limits.all():
            Reading.objects.create(
                target=target, limit=limit, written=0, limit_seen=0, used=used,
                read_at=now,
            )  # fmt: skip


def limits_now(site: Site) -> dict[tuple[str, str], tuple[int, str]]:
    """{(endpoint, key): what the ledger says and what delivery makes of it}, as it is."""
    targets = Target.objects.filter(project=site.project).select_related("endpoint")
    return {
        (each.target.endpoint.slug, row.limit.key): (row.granted, row.verdict.value)
        for each in plan_of(list(targets), Show.ALL)
        for row in each.limits
    }


def route(waits: Mapping[str, Any]) -> dict[str, Any]:
    """Without what belongs to a row and to a moment."""
    moments = {"line", "offering", "waits_since", "remind_at", "escalate_at"}
    return {name: each for name, each in waits.items() if name not in moments}
