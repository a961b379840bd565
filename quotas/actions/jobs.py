"""Work on many things at once: started here as rows, done item by item by a worker.

A kind of job is a function on one item that calls the same verb as a page does for one
thing. Adding one is a decorator in the module that knows the verb:

    @job_kind("retry", subject="target", title=_("Try again"))
    def retry(item: JobItem, job: Job, now: datetime) -> None: ...

It runs in the item's own transaction, may raise any DomainError, which becomes the item's
words, and asks for the authority of `job.actor` at that moment, as every verb does.

What many items have in common may be done for some of them at once by `act_on_many`, in one
transaction: it returns the subjects that were done, and leaves all others as they were, to be done
one by one.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from portal.lib.errors import Invalid
from portal.lib.wake import wake_after_commit
from projects.actions.events import record
from projects.models import User
from quotas.models import Job, JobItem

RUN_TASK = "quotas.tasks.run_job"
# More than any list of ours holds; who has more narrows it down first.
MOST_ITEMS = 20_000

Act = Callable[[JobItem, Job, datetime], None]
ActOnMany = Callable[[Sequence[JobItem], Job, datetime], Collection[int]]


@dataclass(frozen=True)
class JobKind:
    """A verb that can be done to many: what its items are ids of, what people call it."""

    name: str
    subject: str
    title: str | Promise
    act: Act
    act_on_many: ActOnMany | None = None


KINDS: dict[str, JobKind] = {}


def job_kind(
    name: str, *, subject: str, title: str | Promise, act_on_many: ActOnMany | None = None
) -> Callable[[Act], Act]:
    """Register a function as what a kind of job does to each item."""

    def register(act: Act) -> Act:
        if name in KINDS:
            raise LookupError(f"there are two kinds of job called {name!r}")
        KINDS[name] = JobKind(name, subject, title, act, act_on_many)
        return act

    return register


def start_job(
    *,
    kind: str,
    subjects: Collection[int],
    arguments: dict[str, Any] | None = None,
    actor: User,
    now: datetime,
) -> Job:
    """Note what is to be done and wake a worker; each subject once, in the order given.

    arguments: JSON values, the same for each item. Whether the actor may do it is asked per
    item when its turn comes. Raises Invalid without subjects, or with too many.
    """
    ids = list(dict.fromkeys(subjects))
    if not ids:
        raise Invalid({"targets": [_("Choose at least one.")]})
    if len(ids) > MOST_ITEMS:
        words = {"count": len(ids), "most": MOST_ITEMS}
        raise Invalid(
            {"targets": [_("%(count)s are too many at once; %(most)s is the most.") % words]}
        )
    with transaction.atomic():
        job = Job.objects.create(
            kind=kind, actor=actor, token=actor.token, arguments=arguments or {}, created_at=now
        )
        subject_kind = KINDS[kind].subject
        JobItem.objects.bulk_create(
            [JobItem(job=job, subject_kind=subject_kind, subject_id=each) for each in ids],
            batch_size=2000,
        )
        record(
            "job started", actor=actor, now=now, subject_kind="job", subject_id=job.pk,
            kind=kind, count=len(ids),
        )  # fmt: skip
        wake_after_commit(RUN_TASK, job_id=job.pk)
    return job
