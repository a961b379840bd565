"""Rows of the demo site as clouds leave them: trouble, work on it, drift, names that are taken."""

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from projects.models import User
from quotas.actions.jobs import start_job
from quotas.delivery import jobs
from quotas.models import Account, Drift, Job, Limit, Target
from quotas.states import DriftKind, TargetState


def some_trouble() -> dict[str, Any]:
    """Two causes at Cinder and one nobody knows; these wait longer than the test takes."""
    later = timezone.now() + timedelta(days=1)
    said = (
        ("rate_limited", "This request was rate-limited. Retry after 30 seconds."),
        ("forbidden", "Policy doesn't allow os_compute_api:os-quota-sets:update."),
        ("odd", "<b>418</b> I'm a teapot"),
    )
    for target, (code, words) in zip(
        Target.objects.filter(endpoint__slug="nova-geneva").order_by("pk"), said * 2, strict=False
    ):
        Target.objects.filter(pk=target.pk).update(
            state=TargetState.RETRYING, error_kind="transient", error_code=code,
            error_words=words, error_id="AB12CD", error_at=timezone.now(), next_try_at=later,
        )  # fmt: skip
    return {}


def a_cause() -> dict[str, Any]:
    return {**some_trouble(), "cause": "forbidden", "slug": "nova-geneva"}


def a_job() -> dict[str, Any]:
    """Work of Otto of which a part is refused, as it is applied already."""
    job = Job.objects.first()
    if job is None:
        some_trouble()
        ids = list(Target.objects.order_by("-state", "pk").values_list("pk", flat=True)[:12])
        otto = User.objects.get(subject="otto")
        job = start_job(kind="retry", subjects=ids, actor=otto, now=timezone.now())
        while jobs.run(job.pk):
            pass
    return {"number": job.pk}


def any_job() -> dict[str, Any]:
    a_job()
    return {}


def _standing_drift() -> Any:
    """Not the one that the demo has of its own, at another project."""
    return Drift.objects.filter(
        kind=DriftKind.LIMIT_CHANGED, ended_at__isnull=True, target__project__slug="atlas-reco"
    )


def some_drift() -> dict[str, Any]:
    """Differences of several kinds, as looks would have found them; the first of a limit."""
    if not _standing_drift().exists():
        now = timezone.now()
        nova = Target.objects.filter(endpoint__driver="nova").select_related("endpoint")
        reco = nova.filter(project__slug="atlas-reco").earliest("pk")
        cores = reco.endpoint.limits.get(key="cores")
        ram = reco.endpoint.limits.get(key="ram")
        wanted = sum(each.balance * each.factor for each in _feeds(reco, cores))
        common = {"target": reco, "found_at": now - timedelta(hours=3), "confirmed_at": now}
        Drift.objects.create(
            limit=cores, kind=DriftKind.LIMIT_CHANGED, wanted=wanted, seen=wanted + 16, **common
        )
        Drift.objects.create(limit=ram, kind=DriftKind.UNLIMITED, wanted=2**40, seen=-1, **common)
        keystone = Target.objects.filter(endpoint__driver="keystone")
        for number, target in enumerate(keystone.order_by("-pk")[:4]):
            kind = (DriftKind.PROJECT_RENAMED, DriftKind.PROJECT_DISABLED)[number % 2]
            name = "somebody-elses-name" if kind == DriftKind.PROJECT_RENAMED else ""
            Drift.objects.create(
                target=target, kind=kind, seen_name=name, found_at=now, confirmed_at=now
            )
        Target.objects.filter(pk=nova.latest("pk").pk).update(
            look_error_code="timeout", look_error_words="No answer within 20 s", observed_at=None
        )
    return {}


def _feeds(target: Target, limit: Limit) -> Any:
    accounts = Account.objects.filter(project=target.project)
    return accounts.filter(offering__contributions__limit=limit).annotate(
        factor=F("offering__contributions__factor")
    )


def a_drift() -> dict[str, Any]:
    some_drift()
    return {"pk": _standing_drift().earliest("pk").pk}


def _refused(endpoint: str, code: str, **fields: Any) -> dict[str, Any]:
    """The first target there, refused for longer than the test takes, and not looked at."""
    target = Target.objects.filter(endpoint__slug=endpoint).earliest("pk")
    now = timezone.now()
    Target.objects.filter(pk=target.pk).update(
        state=TargetState.REFUSED, error_kind="refused", error_code=code, error_id="AB12CD",
        error_at=now, next_try_at=now + timedelta(days=1), looked_at=now, **fields,
    )  # fmt: skip
    return {"slug": endpoint, "target_id": target.pk}


def a_taken_name() -> dict[str, Any]:
    theirs = {
        "id": "5f1c2ab04d3e4c1f9f1f6f1f4ad6e8aa", "name": "atlas-reco", "is_enabled": False,
        "description": "Made by hand in 2019; ask the shift leader before touching it.",
        "tags": ["by-hand", "legacy"],
    }  # fmt: skip
    return _refused("keystone", "name_taken", name_taken_by=theirs)


def a_deleted_project() -> dict[str, Any]:
    return _refused("nova-prevessin", "project_gone")
