"""What projects use in tests: readings and peaks of days, without a cloud."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from projects.models import Project
from quotas.models import Limit, Reading, Target, UsagePeak


def use(project: Project, key: str, peaks: Mapping[date, int]) -> None:
    """The highest use of a limit on each of these days, in base units."""
    limit = Limit.objects.get(key=key)
    target = Target.objects.get(project=project, endpoint=limit.endpoint)
    UsagePeak.objects.bulk_create(
        UsagePeak(target=target, limit=limit, day=day, used=used) for day, used in peaks.items()
    )


def read(project: Project, key: str, used: int, at: datetime, *, reserved: int = 0) -> None:
    """What a service said last."""
    limit = Limit.objects.get(key=key)
    target = Target.objects.get(project=project, endpoint=limit.endpoint)
    Reading.objects.update_or_create(
        target=target, limit=limit,
        defaults={"used": used, "reserved": reserved, "limit_seen": 100, "read_at": at},
    )  # fmt: skip
    # It was true once, so that what is not read is not known.
    Target.objects.filter(pk=target.pk).update(applied_generation=1)


def use_for(
    project: Project, key: str, used: int, now: datetime, *, days: int = 90, peak: int = 0
) -> None:
    """So much on each day until today, with one higher peak in the middle; read just now."""
    found = {now.date() - timedelta(days=back): used for back in range(days)}
    found[now.date() - timedelta(days=days // 2)] = max(used, peak)
    use(project, key, found)
    read(project, key, used, now)
