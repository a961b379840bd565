"""What every page of the demo site is looked at with: by whom, and about which of its rows."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from projects.models import (
    Delegation,
    Event,
    Letter,
    Postbox,
    Project,
    ProjectChange,
    User,
)
from projects.outgoing.notices import tell
from projects.outgoing.posting import LOST
from projects.outgoing.stopping import stop_url
from projects.states import ChangeKind, LetterState, NoticeKind
from quotas.models import Account, Decision, DecisionKind, Policy, RequestLine
from quotas.states import LineState
from quotas.tests.looks_announcements import a_draft, a_sent_one
from quotas.tests.looks_clouds import (
    a_cause,
    a_deleted_project,
    a_drift,
    a_job,
    a_taken_name,
    any_job,
    some_drift,
    some_trouble,
)
from quotas.tests.looks_people import an_orphan, some_readings, somebody, who_left
from quotas.tests.looks_programs import (
    Facts,
    a_program,
    a_token,
    a_webhook,
    anothers_webhook,
    any_webhook,
    some_programs,
    webhooks_of_others,
)
from quotas.tests.looks_projects import a_proposed_project
from quotas.tests.looks_unused import a_project_that_returned, found_unused


def a_request(person: str, state: LineState) -> Facts:
    """The newest request of a person with a line in that state."""

    def find() -> dict[str, Any]:
        lines = RequestLine.objects.filter(state=state, request__requester__subject=person)
        return {"number": lines.latest("request_id").request_id}

    return find


def waiting_for_dana() -> dict[str, Any]:
    lines = RequestLine.objects.filter(
        state=LineState.OPEN, assignments__user__subject="dana"
    ).exclude(request__project__slug="atlas-reco")
    return {"number": lines.earliest("request_id").request_id}


@dataclass(frozen=True)
class Look:
    """A page and who looks at it; `who` may follow from what it is about."""

    who: str
    kwargs: Facts = dict
    query: str = ""


def a_decision() -> dict[str, Any]:
    """The newest that granted something under bounds."""
    granted = Decision.objects.filter(kind=DecisionKind.APPROVE, person__subject="dana")
    return {"pk": granted.latest("pk").pk}


def an_envelope_of_reco() -> dict[str, Any]:
    account = Account.objects.filter(project__slug="atlas-reco", balance__gt=0).earliest("pk")
    return {"slug": "atlas-reco", "offering": account.offering.slug}


def thin_coverage() -> dict[str, Any]:
    """Somebody's authority ends soon, and somebody does not come. No terms are changed."""
    now = timezone.now()
    erin = Delegation.objects.filter(user__subject="erin", parent__isnull=False).earliest("pk")
    Delegation.objects.get_or_create(
        user=User.objects.get(subject="hilda"), purpose="For the summer",
        defaults={
            "parent": erin, "ancestors": erin.chain_ids, "grantor": erin.user, "unit": erin.unit,
            "powers": ["decide quota"], "starts_at": now, "ends_at": now + timedelta(days=9),
            "created_at": now,
        },
    )  # fmt: skip
    User.objects.filter(subject="erin").update(last_login=now - timedelta(days=90))
    return {}


def slug(text: str) -> Facts:
    return lambda: {"slug": text}


def some_notices() -> dict[str, Any]:
    """Alice is told of what others did with her requests, and of one that she may not see."""
    alice = User.objects.get(subject="alice")
    if not alice.notices.exists():
        kinds = {"approved": NoticeKind.DECIDED, "declined": NoticeKind.DECIDED,
                 "returned": NoticeKind.RETURNED, "commented": NoticeKind.COMMENTED}  # fmt: skip
        for event in Event.objects.filter(verb__in=kinds, subject_kind="request").order_by("-pk"):
            tell(event, [alice.pk], kinds[event.verb])
        for event in Event.objects.filter(verb="submitted").exclude(actor=alice)[:3]:
            tell(event, [alice.pk], NoticeKind.NUDGED)
    return {}


def some_letters() -> dict[str, Any]:
    """One for each state, and a server that does not answer."""
    now = timezone.now()
    alice = User.objects.get(subject="alice")
    words = {"refused": "550 5.1.1 <alice@example.org>: no such mailbox", "unknown": LOST}
    for number, state in enumerate(LetterState, start=1040):
        is_over = state not in (LetterState.DUE, LetterState.SENDING)
        Letter.objects.get_or_create(
            person=alice, thread=f"request-{number}", state=state,
            defaults={
                "due_at": now, "next_try_at": now, "created_at": now, "lease": uuid4(),
                "lease_until": now + timedelta(hours=1), "ended_at": now if is_over else None,
                "words": words.get(state, ""),
            },
        )  # fmt: skip
    Postbox.objects.update(
        failing_since=now - timedelta(hours=2), failure_count=9, words="Connection refused"
    )
    return {}


def a_wish_to_last() -> dict[str, Any]:
    """Alice asks for her project to last for three years."""
    alice, now = User.objects.get(subject="alice"), timezone.now()
    made, __ = ProjectChange.objects.get_or_create(
        project=Project.objects.get(slug="atlas-reco"), kind=ChangeKind.EXTEND, state="open",
        defaults={
            "asked_by": alice, "created_at": now, "reason": "Run 4 goes on until 2029.",
            "until_on": now.date() + timedelta(days=1000),
        },
    )  # fmt: skip
    return {"pk": made.pk}


def a_stop() -> dict[str, Any]:
    url = stop_url(User.objects.get(subject="alice"), ["decided", "commented"])
    return {"text": url.rstrip("/").rpartition("/")[2]}


def erins() -> dict[str, Any]:
    return {"pk": Delegation.objects.filter(user__subject="erin").earliest("pk").pk}


def a_rule() -> dict[str, Any]:
    return {"pk": Policy.objects.filter(person__subject="dana").latest("pk").pk}


LOOKS: dict[str, Look] = {
    "sign_in": Look(""),
    "reference": Look(""),
    "reference_subject": Look("", lambda: {"tag": "requests"}),
    "refusal_list": Look(""),
    "refusal_detail": Look("", lambda: {"code": "no_room"}),
    "home": Look("dana"),
    "me": Look("alice"),
    "mail_choices": Look("alice"),
    "mail_stop": Look("", a_stop),
    "notice_list": Look("alice", some_notices),
    "webhook_list": Look("alice", any_webhook),
    "webhook_others": Look("alice", webhooks_of_others),
    "webhook_take_over": Look("alice", anothers_webhook),
    "webhook_new": Look("alice", query="?project=atlas-reco"),
    "webhook_detail": Look("alice", a_webhook),
    "webhook_change": Look("alice", a_webhook),
    "webhook_rotate": Look("alice", a_webhook),
    "webhook_delete": Look("alice", a_webhook),
    "find": Look("dana", query="?q=atlas"),
    "remit": Look("dana"),
    "queue": Look("dana"),
    "project_list": Look("alice"),
    "project_detail": Look("alice", slug("atlas-reco")),
    "project_people": Look("alice", slug("atlas-reco"), "?q=e"),
    "project_life": Look("alice", slug("atlas-reco"), "?unit=cms"),
    "unit_steward": Look("erin", slug("atlas"), "?q=d"),
    "person_list": Look("otto", lambda: who_left() and {}),
    "person_detail": Look("otto", somebody("dana")),
    "person_leave": Look("otto", somebody("alice")),
    "person_return": Look("otto", who_left),
    "orphan_list": Look("otto", lambda: an_orphan() and {}),
    "orphan_offer": Look("otto", an_orphan),
    "directory_state": Look("otto", some_readings),
    "loan_list": Look("dana", slug("atlas-reco")),
    "project_unused": Look("alice", a_project_that_returned),
    "unused_list": Look("erin", found_unused, "?resource=vcpu&sums=yes"),
    "unit_usage": Look("dana", slug("atlas"), "?days=90"),
    "zone_detail": Look("otto", lambda: {"zone_id": "geneva.compute-a"}, "?days=365"),
    "change_list": Look("erin", lambda: a_wish_to_last() and {}),
    "change_detail": Look("erin", a_wish_to_last),
    "quota_why": Look("alice", lambda: {"slug": "atlas-reco", "offering": "geneva.compute-a.vcpu"}),
    "request_list": Look("alice"),
    "project_new": Look("alice", query="?name=Higgs+Reco&region=geneva"),
    "project_rename": Look("alice", a_proposed_project),
    "project_room": Look("alice", slug("atlas-reco")),
    "project_thresholds": Look("alice", slug("atlas-reco")),
    "request_new": Look("alice", query="?project=atlas-reco&region=geneva"),
    "request_detail": Look("alice", a_request("alice", LineState.GRANTED)),
    "request_edit": Look("alice", a_request("alice", LineState.DRAFT)),
    "request_discard": Look("alice", a_request("alice", LineState.DRAFT)),
    "request_amend": Look("paolo", a_request("paolo", LineState.OPEN)),
    "request_withdraw": Look("paolo", a_request("paolo", LineState.OPEN)),
    "decide": Look("dana", waiting_for_dana),
    "catalogue": Look("alice"),
    "unit_list": Look("alice"),
    "unit_detail": Look("dana", slug("atlas")),
    "policy_list": Look("dana", query="?unit=atlas"),
    "policy_new": Look("dana", query="?unit=atlas"),
    "policy_detail": Look("dana", a_rule),
    "policy_revise": Look("dana", a_rule),
    "policy_replay": Look("dana", a_rule),
    "unit_waiting": Look("dana", slug("atlas")),
    "unit_fund": Look(
        "erin",
        slug("atlas"),
        "?region=geneva&amount-geneva.compute-a.vcpu=%2B16&amount-geneva.storage-b.space=-9T",
    ),
    "unit_envelope": Look("dana", lambda: {"slug": "atlas", "offering": "geneva.compute-a.vcpu"}),
    "unit_acts": Look("dana", slug("atlas")),
    "unit_move": Look("erin", slug("atlas"), "?parent=cms"),
    "unit_retire": Look("erin", slug("atlas")),
    "delegate": Look("erin"),
    "deputy_new": Look("erin"),
    "delegation_tree": Look("otto"),
    "coverage": Look("otto", thin_coverage),
    "quota_explain": Look("dana", an_envelope_of_reco),
    "decision_why": Look("dana", a_decision),
    "delegation_revoke": Look("otto", erins),
    "delegation_detail": Look(
        "dana", lambda: {"pk": Delegation.objects.filter(user__subject="dana").latest("pk").pk}
    ),
    "drift_list": Look("otto", some_drift),
    "drift_restore": Look("otto", a_drift),
    "drift_ignore": Look("otto", a_drift),
    "drift_adopt": Look("dana", lambda: {"slug": "atlas-reco", **a_drift()}),
    "endpoint_list": Look("otto"),
    "endpoint_detail": Look("otto", slug("cinder-geneva")),
    "endpoint_pause": Look("otto", slug("keystone")),
    "endpoint_restrict": Look("otto", slug("cinder-geneva")),
    "endpoint_plan": Look("otto", slug("nova-geneva"), "?show=all"),
    "job_detail": Look("otto", a_job),
    "job_list": Look("otto", any_job),
    "mail_state": Look("otto", some_letters),
    "problem_list": Look("otto", some_trouble),
    "problem_detail": Look("otto", a_cause),
    "target_adopt": Look("otto", a_taken_name),
    "target_recreate": Look("otto", a_deleted_project),
    "token_list": Look("alice", some_programs),
    "token_detail": Look("alice", a_token),
    "token_revoke": Look("alice", a_token),
    "token_rotate": Look("alice", a_token),
    "project_accounts": Look("alice", lambda: {**some_programs(), "slug": "atlas-reco"}),
    "unit_accounts": Look("dana", lambda: {**some_programs(), "slug": "atlas"}),
    "service_account": Look("alice", a_program("nightly")),
    "service_account_take_over": Look("erin", a_program("ticket-bot")),
    "service_account_close": Look("alice", a_program("nightly")),
    "project_plan": Look("otto", slug("atlas-reco"), "?show=all"),
    "announcement_new": Look("otto"),
    "announcement_edit": Look("otto", a_draft),
    # Last, as their readers have a banner from then on.
    "announcement_detail": Look("otto", a_sent_one),
    "announcement_list": Look("alice", lambda: a_sent_one() and {}),
}
