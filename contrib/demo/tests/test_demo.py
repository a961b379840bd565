"""What the loaded demo holds: something for every page, made by the verbs themselves."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from contrib.demo.usage import DAYS
from portal.testing.servers import DatabaseCopy
from projects.models import Event, Notice, User, in_force
from projects.queries.viewers import Viewer, visible_projects
from quotas.actions.assigning import assign
from quotas.models import (
    Assignment,
    Decision,
    DecisionLine,
    EnvelopeAct,
    Limit,
    Loan,
    QuotaRequest,
    RequestLine,
    UsagePeak,
)
from quotas.queries.accounts import audit
from quotas.queries.requests import assigned_lines, queue, states_of
from quotas.queries.verifying import verify
from quotas.states import RequestState


@pytest.fixture(scope="module", autouse=True)
def loaded(module_database: DatabaseCopy) -> str:
    """One load for all tests of this file, which only read; what it said."""
    said = io.StringIO()
    call_command("load_demo", stdout=said, stderr=said)
    return said.getvalue()


def viewer(subject: str) -> Viewer:
    return Viewer.of(User.objects.local(subject), timezone.now())


def test_demo_has_something_for_everybody(loaded: str) -> None:
    assert loaded.startswith("Loaded 12 projects, 44 requests")
    assert len(queue(viewer("dana"))) >= 5
    assert [len(queue(viewer(name))) for name in ("erin", "hugo", "jonas")] == [3, 1, 2]
    assert {name: visible_projects(viewer(name)).count() for name in ("mallory", "audrey")} == {
        "mallory": 0,
        "audrey": 12,
    }
    states = set(states_of(QuotaRequest.objects.all()).values())
    # No worker ran.
    by_workers = {RequestState.APPLIED, RequestState.REFUSED, RequestState.NOT_ENFORCED}
    assert states == set(RequestState) - by_workers
    kinds = {each.kind for each in Decision.objects.all()}
    assert kinds == {"approve", "decline", "return", "endorse"}
    assert Loan.objects.filter(outstanding__gt=0, ends_at__gt=timezone.now()).exists()
    assert User.objects.local("alice").check_password("remit-demo")


def test_demo_shows_authority_at_work(loaded: str) -> None:
    """A deputy, an endorsement, a line that went up, the service desk, and unread news."""
    assert set(queue(viewer("dana"))) <= set(queue(viewer("marco")))
    for_erin = {each.pk for each in assigned_lines(viewer("erin"))}
    endorsed = DecisionLine.objects.filter(decision__kind="endorse")
    assert set(endorsed.values_list("line", flat=True)) <= for_erin
    assert RequestLine.objects.filter(pk__in=for_erin, level=1).exists()
    asked = QuotaRequest.objects.get(asked_by=User.objects.local("hilda"))
    assert asked.requester == User.objects.local("nadia")
    assert EnvelopeAct.objects.filter(actor=User.objects.local("erin")).count() == 2
    news = Notice.objects.filter(read_at__isnull=True)
    assert {"dana", "erin", "marco"} <= set(news.values_list("person__subject", flat=True))


def test_demo_lines_are_assigned_as_they_would_be_now(loaded: str) -> None:
    """Nothing was routed as of the past in which the demo hands authority out."""
    before = set(Assignment.objects.filter(in_force(timezone.now())).values_list("pk", "ends_at"))
    with transaction.atomic():
        assign(
            list(QuotaRequest.objects.select_related("project__unit").order_by("pk")),
            timezone.now(),
        )
    after = Assignment.objects.filter(in_force(timezone.now())).values_list("pk", "ends_at")
    assert set(after) == before


def test_demo_ledger_adds_up(loaded: str) -> None:
    assert audit() == []


def test_demo_decisions_agree_with_history(loaded: str) -> None:
    assert [each.sentence for each in verify()] == []


def test_demo_lies_in_the_past_and_grows_with_time(loaded: str) -> None:
    assert not Event.objects.filter(at__gt=timezone.now()).exists()
    by_number = QuotaRequest.objects.filter(submitted_at__isnull=False).order_by("pk")
    sent = [each.submitted_at for each in by_number if each.submitted_at is not None]
    assert sent == sorted(sent)


def test_demo_can_be_asked_for_the_story(loaded: str) -> None:
    """Alice asks for compute and storage of the README's story: nothing of it is pending."""
    pending = QuotaRequest.objects.filter(project__slug="atlas-reco", lines__state="open")
    assert not pending.exists()


def test_demo_keeps_peaks_of_every_day_within_the_limit(loaded: str) -> None:
    cores = Limit.objects.get(endpoint__slug="nova-geneva", key="cores")
    peaks = UsagePeak.objects.filter(target__project__slug="atlas-reco", limit=cores)
    assert peaks.count() == DAYS
    assert max(peaks.values_list("day", flat=True)) == timezone.localdate() - timedelta(days=1)
    assert all(0 < each.used <= (each.limit_seen or 0) for each in peaks)
    # The limit of each day is what the ledger says of it: it rose by decisions.
    assert len({each.limit_seen for each in peaks}) > 1
