"""What every page of the demo site is looked at with: by whom, and about which of its rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from projects.actions import service_accounts, tokens, webhooks
from projects.models import (
    ApiToken,
    Delegation,
    Event,
    Project,
    ServiceAccount,
    Unit,
    User,
    Webhook,
    WebhookAttempt,
    WebhookCall,
)
from projects.outgoing.notices import tell
from projects.queries.viewers import Viewer
from projects.states import CallState, NoticeKind
from quotas.actions.jobs import start_job
from quotas.delivery import jobs
from quotas.models import (
    Account,
    Decision,
    DecisionKind,
    Drift,
    Job,
    Limit,
    Policy,
    RequestLine,
    Target,
)
from quotas.states import DriftKind, LineState, TargetState

# What an address needs, found in the demo's rows.
Facts = Callable[[], dict[str, Any]]


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


def erins() -> dict[str, Any]:
    return {"pk": Delegation.objects.filter(user__subject="erin").earliest("pk").pk}


def a_rule() -> dict[str, Any]:
    return {"pk": Policy.objects.filter(person__subject="dana").latest("pk").pk}


def some_programs() -> dict[str, Any]:
    """Tokens of Alice's and of a program of Atlas' and of its unit, one of them revoked."""
    now, alice = timezone.now(), User.objects.get(subject="alice")
    if not ServiceAccount.objects.exists():
        project = Project.objects.select_related("unit").get(slug="atlas-reco")
        account = service_accounts.make(
            place=project, name="nightly", purpose="Asks for what the next campaign needs",
            actor=alice, now=now,
        )  # fmt: skip
        service_accounts.make(
            place=Unit.objects.get(slug="atlas"), name="ticket-bot",
            purpose="Decides small requests from tickets",
            actor=User.objects.get(subject="dana"), now=now,
        )  # fmt: skip
        common: dict[str, Any] = {"actor": alice, "now": now - timedelta(days=3)}
        tokens.make(name="laptop", scopes=["read", "ask"], **common)
        lost, _text = tokens.make(name="lost phone", scopes=["read"], **common)
        tokens.revoke(token=lost, actor=alice, now=now - timedelta(days=1))
        pipeline, _text = tokens.make(
            name="pipeline", scopes=["read", "ask"], networks=["192.0.2.0/24"],
            account=account, **common,
        )  # fmt: skip
        ApiToken.objects.filter(pk=pipeline.pk).update(last_used_at=now - timedelta(minutes=4))
    return {}


def a_token() -> dict[str, Any]:
    some_programs()
    return {"public_id": ApiToken.objects.get(name="pipeline").public_id}


def a_program(name: str) -> Facts:
    def find() -> dict[str, Any]:
        some_programs()
        return {"public_id": ServiceAccount.objects.get(name=name).public_id}

    return find


def a_webhook() -> dict[str, Any]:
    """Of Alice, with calls that were taken, wait and were given up."""
    alice = User.objects.get(subject="alice")
    found = Webhook.objects.filter(owner=alice).first()
    if found is None:
        now = timezone.now()
        found, _secret = webhooks.make(
            terms=webhooks.Terms("Tickets", "https://tickets.example.org/hooks/remit?team=atlas"),
            project=Project.objects.get(slug="atlas-reco"), viewer=Viewer.of(alice, now),
        )  # fmt: skip
        events = list(Event.objects.filter(project__slug="atlas-reco").order_by("-pk")[:3])
        states = (CallState.DUE, CallState.TAKEN, CallState.GIVEN_UP)
        for event, state in zip(events, states, strict=False):
            call = WebhookCall.objects.create(
                webhook=found, event=event, state=state, attempts=1, due_at=now, created_at=now,
                ended_at=None if state == CallState.DUE else now,
            )  # fmt: skip
            status = 204 if state == CallState.TAKEN else 503
            WebhookAttempt.objects.create(call=call, at=now, status=status, took_ms=84)
        # Nobody calls it while it is looked at.
        later = now + timedelta(days=1)
        Webhook.objects.filter(pk=found.pk).update(failing_since=now, held_until=later)
        found.calls.filter(state=CallState.DUE).update(due_at=later)
    return {"public_id": found.public_id}


def any_webhook() -> dict[str, Any]:
    a_webhook()
    return {}


LOOKS: dict[str, Look] = {
    "sign_in": Look(""),
    "reference": Look(""),
    "reference_subject": Look("", lambda: {"tag": "requests"}),
    "refusal_list": Look(""),
    "refusal_detail": Look("", lambda: {"code": "no_room"}),
    "home": Look("dana"),
    "me": Look("alice"),
    "notice_list": Look("alice", some_notices),
    "webhook_list": Look("alice", any_webhook),
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
    "quota_why": Look("alice", lambda: {"slug": "atlas-reco", "offering": "geneva.compute-a.vcpu"}),
    "request_list": Look("alice"),
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
}
