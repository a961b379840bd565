"""How far a job is, what became of each of its items, and who may look."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from projects.models import Project
from projects.queries.viewers import Viewer, visible_projects
from quotas.models import Drift, Job, JobItem, QuotaRequest, Target
from quotas.states import ItemState, JobState


@dataclass(frozen=True)
class JobRow:
    """A job with its items counted, as it stands at `now`."""

    job: Job
    waiting: int
    done: int
    refused: int
    now: datetime

    @property
    def total(self) -> int:
        return self.waiting + self.ended

    @property
    def ended(self) -> int:
        """How many items nothing will happen to any more, done or not."""
        return self.done + self.refused

    @property
    def has_ended(self) -> bool:
        return self.job.state == JobState.ENDED

    @property
    def elapsed(self) -> timedelta | None:
        """Since somebody began with it, until it ended; None before."""
        if self.job.started_at is None:
            return None
        return max((self.job.ended_at or self.now) - self.job.started_at, timedelta(0))

    @property
    def remaining(self) -> timedelta | None:
        """A guess from the pace so far; None where there is none yet, or nothing is left."""
        if self.elapsed is None or self.has_ended or not self.ended:
            return None
        return self.elapsed / self.ended * self.waiting


@dataclass(frozen=True)
class Subject:
    """What an item is about, for people: a place, and the project it concerns."""

    place: str
    project: Project | None = None


@dataclass(frozen=True)
class ItemRow:
    item: JobItem
    subject: Subject


def visible_jobs(viewer: Viewer) -> QuerySet[Job]:
    """Those that the person started; operators and auditors see all.

    A service account sees those that its own tokens started.
    """
    jobs = Job.objects.select_related("actor")
    if viewer.sees_everything:
        return jobs
    jobs = jobs.filter(actor=viewer.user)
    if viewer.place is None:
        return jobs
    return jobs.filter(token__service_account=viewer.place.account_id)


def job_rows(jobs: Iterable[Job], now: datetime) -> list[JobRow]:
    """Each job with its counts: one query for any number of them."""
    found = list(jobs)
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    rows = JobItem.objects.filter(job__in=found).order_by().values_list("job", "state")
    for job_id, state, count in rows.annotate(count=Count("pk")):
        counts[job_id][state] = count
    return [
        JobRow(
            job=job,
            waiting=counts[job.pk].get(ItemState.WAITING, 0),
            done=counts[job.pk].get(ItemState.DONE, 0),
            refused=counts[job.pk].get(ItemState.REFUSED, 0),
            now=now,
        )
        for job in found
    ]


def items_of(job: Job, state: str = "") -> QuerySet[JobItem]:
    """The items of a job, in the order given; of one state, if one is named."""
    items = JobItem.objects.filter(job=job)
    return items.filter(state=state) if state else items


Describe = Callable[[Collection[int], QuerySet[Project]], dict[int, Subject]]


def _targets(ids: Collection[int], projects: QuerySet[Project]) -> dict[int, Subject]:
    rows = Target.objects.filter(pk__in=ids, project__in=projects)
    found = rows.select_related("project", "endpoint")
    return {each.pk: Subject(each.endpoint.name, each.project) for each in found}


def _drifts(ids: Collection[int], projects: QuerySet[Project]) -> dict[int, Subject]:
    rows = Drift.objects.filter(pk__in=ids, target__project__in=projects)
    found = rows.select_related("target__project", "target__endpoint")
    return {each.pk: Subject(each.target.endpoint.name, each.target.project) for each in found}


def _requests(ids: Collection[int], projects: QuerySet[Project]) -> dict[int, Subject]:
    rows = QuotaRequest.objects.filter(pk__in=ids, project__in=projects)
    return {
        each.pk: Subject(f"#{each.pk}", each.project) for each in rows.select_related("project")
    }


def _recipients(ids: Collection[int], projects: QuerySet[Project]) -> dict[int, Subject]:
    """Slices of people, by their places in the order in which they are told."""
    return {each: Subject(_("Part %(number)s") % {"number": each}) for each in ids}


# {subject kind: how its rows are told, of projects that the reader may see}, one query each.
# Who adds a kind of job about something else adds a line.
SUBJECTS: dict[str, Describe] = {
    "target": _targets,
    "drift": _drifts,
    "request": _requests,
    "recipients": _recipients,
}


def item_rows(items: Collection[JobItem], viewer: Viewer) -> list[ItemRow]:
    """Each item with what it is about: one query for each kind of subject.

    Of a project that the reader may not see, or no more, only the number is told.
    """
    ids: dict[str, list[int]] = defaultdict(list)
    for item in items:
        ids[item.subject_kind].append(item.subject_id)
    seen = visible_projects(viewer)
    found = {kind: SUBJECTS[kind](some, seen) for kind, some in ids.items() if kind in SUBJECTS}
    return [
        ItemRow(
            item,
            found.get(item.subject_kind, {}).get(item.subject_id)
            or Subject(f"{item.subject_kind} {item.subject_id}"),
        )
        for item in items
    ]
