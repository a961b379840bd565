"""The doors of the workers. A task is a hint: it takes ids, may run twice, loses nothing."""

import time
from functools import partial
from typing import Any

from celery import current_app, shared_task
from celery.signals import worker_init
from django.conf import settings
from django.utils import timezone

from portal.lib.errors import Conflict
from portal.lib.wake import wake
from projects.actions.token_ends import warn_of_tokens
from projects.directory.base import DirectoryFailed
from projects.directory.opening import open_directory
from projects.models import Unit
from projects.outgoing import posting
from projects.outgoing.kept_answers import forget_old_answers
from projects.outgoing.letters import write_letters
from quotas.actions.announcing import begin_due, finish_over
from quotas.actions.calendar import (
    end_projects,
    site_day,
    warn_of_loan_ends,
    warn_of_project_ends,
)
from quotas.actions.directory import note_failure, sync_directory
from quotas.actions.emptying import empty_closing, end_countdowns, end_loans
from quotas.actions.endpoints import resume_over
from quotas.actions.ends import warn_of_ends
from quotas.actions.escalation import escalate_due, remind_due
from quotas.actions.jobs import RUN_TASK
from quotas.actions.leaving import finish_leaving
from quotas.actions.orphans import offer_orphans
from quotas.actions.project_changes import lapse_changes
from quotas.actions.project_holds import release_over
from quotas.actions.rerouting import REROUTE_TASK, route_again, unrouted, work_off
from quotas.actions.routing import mark_places
from quotas.actions.targets import APPLY_TASK
from quotas.actions.unused import find_unused
from quotas.actions.usage_days import add_up_usage
from quotas.delivery import closing, finding, jobs, leases, observe, remedies, roles, surveys
from quotas.delivery.clouds import load_drivers
from quotas.delivery.converge import work
from quotas.delivery.mail import Postman
from quotas.delivery.readings import forget_old_usage

SWEEP_BATCH = 500
# What the sweep sends is sent again by the next ones as long as the row is due.
HINT_SECONDS = 30
SURVEY_TASK = "quotas.tasks.observe_all"
MAIL_TASK = "quotas.tasks.post_letters"
# As long as what is due where nobody is at work waits behind a backlog of others, at most.
APPLY_TURN_SECONDS = 0.5
# As long as other tasks of the same worker do, as the sweeps. A task of its own for each change
# costs as much as a call.
APPLY_SLICE_SECONDS = 2.0
MAIL_SLICE_SECONDS = 10.0
EMPTYING_TASK = "quotas.tasks.sweep_emptying"
EMPTYING_SLICE_SECONDS = 10.0
USAGE_TASK = "quotas.tasks.sweep_usage"
UNUSED_TASK = "quotas.tasks.sweep_unused"
# In this order: what the calendar closed today is looked at by the next of them.
EMPTYING = (end_countdowns, empty_closing, end_loans)
# A slice of some seconds.
MARKED_REQUESTS = 1000
SLICES = 10


@worker_init.connect
def share_drivers(**_: Any) -> None:
    """Load them before a worker forks: its processes share their memory, and start at once."""
    load_drivers()


@shared_task
def apply_target(*, target_id: int) -> None:
    """Make one target true, if it is due; else the one that waits longest at its endpoint.

    Then those that wait longest there, for a slice, and the next one is hinted at: so what has
    gathered at an endpoint drains in order and at its own speed. After the first one, and after
    each turn, what waits where nobody is at work comes before: hints come endpoint by endpoint, and
    services work beside each other.
    """
    turn_ends = time.monotonic()
    ends = turn_ends + APPLY_SLICE_SECONDS
    lease = leases.take(target_id) or leases.take_beside(target_id)
    home = lease.target.endpoint_id if lease is not None else 0
    while lease is not None:
        work(lease)
        done, lease = lease.target, None
        if time.monotonic() >= ends:
            # One hint for the one that began this: they must not become ever more.
            following = leases.next_due(home) or leases.next_due(done.endpoint_id)
            if following is not None:
                wake(APPLY_TASK, target_id=following)
            return
        if time.monotonic() >= turn_ends:
            turn_ends = time.monotonic() + APPLY_TURN_SECONDS
            lease = leases.take_elsewhere(done.pk)
        lease = lease or leases.take_beside(done.pk)
        if lease is None and done.endpoint_id != home:
            lease = leases.take_beside(target_id)


@shared_task
def sweep_due() -> None:
    """Find what is due, whoever forgot it, what a lost worker held, and pauses that are over."""
    leases.expire()
    for target_id in leases.due_in_turn(SWEEP_BATCH):
        _hint(APPLY_TASK, target_id)
    resume_over(timezone.now())


@shared_task
def observe_target(*, target_id: int) -> None:
    """Refresh the readings of one target, if they are old."""
    observe.observe(target_id)


@shared_task
def sweep_observe() -> None:
    """Send what is due to be looked at: endpoints that are read in one go, then single targets."""
    surveys.plan_surveys()
    for endpoint_id in surveys.due_surveys():
        current_app.send_task(
            SURVEY_TASK, kwargs={"endpoint_id": endpoint_id}, expires=HINT_SECONDS
        )
    count = observe.batch_size(settings.OBSERVE_SWEEP_SECONDS)
    for target_id in observe.stale_in_turn(count):
        _hint("quotas.tasks.observe_target", target_id)


@shared_task
def observe_missing() -> None:
    """Look again for people and groups whom identity services did not know."""
    finding.look_again()


@shared_task
def observe_all(*, endpoint_id: int) -> None:
    """Read all projects of an endpoint in one go, if its moment has come; then hint at the next."""
    surveys.survey(endpoint_id)
    for following in surveys.due_surveys()[:1]:
        wake(SURVEY_TASK, endpoint_id=following)


@shared_task
def sweep_old_usage() -> None:
    """Forget what was used so long ago that nothing draws it any more."""
    now = timezone.now()
    for _slice in range(SLICES):
        if forget_old_usage(now) == 0:
            break


@shared_task
def sweep_identities() -> None:
    """Have roles taken back that nobody was woken for, and closed projects forgotten."""
    roles.wake_strays()
    closing.wake_closed()


@shared_task
def read_directory() -> None:
    """Read people and groups from the directory; the row of the run tells what came of it."""
    now = timezone.now()
    try:
        with open_directory() as directory:
            sync_directory(directory, now=now)
    except DirectoryFailed as error:
        note_failure(error, now)
    except Conflict:
        return  # it is being read: that one tells the same


@shared_task
def sweep_leavers() -> None:
    """Let go of what people who left still hold, and offer what nobody owns any more."""
    now = timezone.now()
    for _slice in range(SLICES):
        if finish_leaving(now) == 0:
            break
    after = offer_orphans(now)
    while after:
        after = offer_orphans(now, after)


@shared_task
def sweep_marks() -> None:
    """Route what a change of authority left to the workers; a slice each, behind others' work."""
    if work_off(timezone.now(), MARKED_REQUESTS):
        wake(REROUTE_TASK)


@shared_task
def sweep_routes() -> None:
    """Give open lines that wait for nobody in force to those who can decide them now."""
    now = timezone.now()
    route_again(unrouted(now), now)


@shared_task
def sweep_all_routes() -> None:
    """Look at every open line again: time changes what is left of windows and periods."""
    now = timezone.now()
    mark_places(units=Unit.objects.filter(parent=None).values_list("pk", flat=True), now=now)


@shared_task
def sweep_waiting() -> None:
    """Remind those for whom something has waited a while, and hand up what waited too long."""
    now = timezone.now()
    for act in (remind_due, escalate_due):
        for _slice in range(SLICES):
            if act(now) == 0:
                break


@shared_task
def sweep_ends() -> None:
    """Tell of authority and of tokens that run out soon, each once."""
    now = timezone.now()
    for act in (warn_of_ends, warn_of_tokens):
        for _slice in range(SLICES):
            if act(now) == 0:
                break


@shared_task
def sweep_calendar() -> None:
    """What comes with the days: holds and offers that are over, notices of ends, and ends."""
    now = timezone.now()
    # Who is held no more, and whose wish lapsed, is told of it before anything ends.
    for act in (
        partial(release_over, today=site_day(now)), lapse_changes, warn_of_project_ends,
        warn_of_loan_ends, end_projects,
    ):  # fmt: skip
        for _slice in range(SLICES):
            if act(now) == 0:
                break


@shared_task
def sweep_announcements() -> None:
    """Begin with announcements whose moment has come, and end those whose job is over."""
    now = timezone.now()
    for act in (begin_due, finish_over):
        for _slice in range(SLICES):
            if act(now) == 0:
                break


@shared_task
def sweep_emptying(*, step: int = 0, after: int = 0) -> None:
    """Take back what became free of closing projects and of loans that are over.

    A slice of some seconds; the next one goes on behind the project `after`, so that none waits
    for ever behind many.
    """
    ends = time.monotonic() + EMPTYING_SLICE_SECONDS
    while step < len(EMPTYING):
        after = EMPTYING[step](timezone.now(), after)
        step += 0 if after else 1
        if time.monotonic() >= ends and step < len(EMPTYING):
            wake(EMPTYING_TASK, step=step, after=after)
            return


@shared_task
def sweep_usage() -> None:
    """Add up what units used today; after an outage also the days that were missed, in slices."""
    if add_up_usage(timezone.now()):
        wake(USAGE_TASK)


@shared_task
def sweep_unused(*, after: int = 0) -> None:
    """Look at every project for quota that it does not use, a slice of some seconds each."""
    ends = time.monotonic() + EMPTYING_SLICE_SECONDS
    while after := find_unused(timezone.now(), after):
        if time.monotonic() >= ends:
            wake(UNUSED_TASK, after=after)
            return


@shared_task
def sweep_kept_answers() -> None:
    """Forget the answers to POSTs that are given to nobody any more."""
    forget_old_answers(timezone.now())


@shared_task
def sweep_remedies() -> None:
    """Apply the remedies that need nobody's click, once for each error."""
    remedies.apply_due()


@shared_task
def sweep_mail() -> None:
    """Read notices into letters, and send a hint where one is due and the server not left alone."""
    now = timezone.now()
    for _slice in range(SLICES):
        if write_letters(now) == 0:
            break
    posting.find_lost(now)
    if posting.may_send(now):
        current_app.send_task(MAIL_TASK, expires=HINT_SECONDS)


@shared_task
def post_letters() -> None:
    """Send what is due for a few seconds, by one connection; what is left waits for a hint."""
    ends = time.monotonic() + MAIL_SLICE_SECONDS
    with Postman() as postman:
        while postman.send_next(timezone.now()):
            if time.monotonic() >= ends:
                wake(MAIL_TASK)
                return


@shared_task
def sweep_old_mail() -> None:
    """Give up what could not be sent for days, and forget letters that ended long ago."""
    now = timezone.now()
    posting.give_up(now)
    posting.clean(now)


@shared_task
def run_job(*, job_id: int) -> None:
    """Work on a job for a few seconds; what is left of it waits behind the sweeps."""
    if jobs.run(job_id):
        wake(RUN_TASK, job_id=job_id)


@shared_task
def sweep_jobs() -> None:
    """Go on with jobs whose worker died, or that nobody was woken for."""
    for job_id in list(jobs.unended().values_list("pk", flat=True)[:SWEEP_BATCH]):
        current_app.send_task(RUN_TASK, kwargs={"job_id": job_id}, expires=HINT_SECONDS)


def _hint(task: str, target_id: int) -> None:
    current_app.send_task(task, kwargs={"target_id": target_id}, expires=HINT_SECONDS)
