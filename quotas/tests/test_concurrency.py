"""The second person at the same moment, on real PostgreSQL."""

import threading
import uuid
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.lib.errors import Conflict, DomainError, NoRoom
from portal.lib.locks import lock
from portal.testing.servers import DatabaseCopy
from projects.states import Role
from quotas.actions import decide, requests
from quotas.actions.targets import touch_endpoints, wake_targets
from quotas.actions.wishes import Wish
from quotas.delivery import breaker, leases
from quotas.models import Account, Decision, Endpoint, QuotaRequest, Target, Transfer
from quotas.queries.accounts import audit
from quotas.tests.site import NOW, Site, join, make_project, make_site
from quotas.tests.test_decide import ask
from quotas.tests.threads import at_once, until_it_waits


def approve_as(site: Site, actor: str, asked: QuotaRequest, amount: int) -> Decision:
    line = asked.lines.get()
    return decide.approve(
        quota_request=asked, granted={line.pk: amount}, seen={line.pk: 0}, version=asked.version,
        actor=site.people[actor], now=NOW,
    )  # fmt: skip


def test_two_decisions_on_one_line_book_once(committed_site: Site) -> None:
    site = committed_site
    asked = ask(site)
    results = at_once(
        [
            partial(approve_as, site, "dana", asked, 100),
            partial(approve_as, site, "erin", asked, 60),
        ]
    )
    refusals = [each for each in results if isinstance(each, DomainError)]
    assert [refusal.status for refusal in refusals] == [409]
    assert Decision.objects.count() == 1
    assert Transfer.objects.filter(decision_line__isnull=False).count() == 1
    assert audit() == []


def test_two_decisions_over_http_are_answered_with_one_200_and_one_409(
    database_copy: DatabaseCopy,
) -> None:
    site = make_site(timezone.now())
    wish = Wish({site.vcpu.slug: 100}, "reprocessing")
    asked = requests.submit(project=site.project, wish=wish, actor=site.alice, now=timezone.now())
    line = asked.lines.get().pk

    def approve(name: str, amount: int) -> int:
        client = Client()
        client.force_login(site.people[name])
        body = {"granted": {line: amount}, "seen": {line: 0}, "version": asked.version}
        url = reverse("api_request_approve", kwargs={"pk": asked.pk})
        return client.post(url, body, "application/json").status_code

    answers = at_once([partial(approve, "dana", 100), partial(approve, "erin", 60)])
    assert sorted(answers) == [200, 409]
    assert Transfer.objects.filter(decision_line__isnull=False).count() == 1
    assert site.quota(site.vcpu) in (100, 60)


def test_an_approval_and_a_withdrawal_have_one_winner(committed_site: Site) -> None:
    site = committed_site
    asked = ask(site)
    results = at_once(
        [
            partial(approve_as, site, "dana", asked, 100),
            partial(requests.withdraw, quota_request=asked, actor=site.alice, now=NOW),
        ]
    )
    assert sorted(isinstance(each, Conflict) for each in results) == [False, True]
    assert site.quota(site.vcpu) == (100 if asked.lines.get().state == "granted" else 0)


def test_ten_projects_never_overdraw_one_envelope(committed_site: Site) -> None:
    site = committed_site
    asked = []
    for number in range(10):
        project = make_project(site, f"p{number}", "atlas", NOW)
        join(project, site.alice, Role.OWNER, NOW)
        wish = Wish({site.vcpu.slug: 128}, "load")
        asked.append(requests.submit(project=project, wish=wish, actor=site.alice, now=NOW))
    results = at_once([partial(approve_as, site, "dana", each, 128) for each in asked])
    # 1000 are left in the envelope: seven times 128.
    assert sum(isinstance(each, NoRoom) for each in results) == 3
    assert site.envelope(site.vcpu) == 1000 - 7 * 128
    assert (
        Account.objects.filter(offering=site.vcpu, project__isnull=False, balance=128).count() == 7
    )
    assert audit() == []


def test_two_submits_of_one_offering_leave_one_pending(committed_site: Site) -> None:
    site = committed_site
    results = at_once([partial(ask, site) for _ in range(4)])
    assert sum(isinstance(each, Conflict) for each in results) == 3
    assert QuotaRequest.objects.count() == 1


def test_a_due_target_is_leased_by_one_of_many(committed_site: Site) -> None:
    target = Target.objects.filter(endpoint__slug="nova-geneva").first()
    assert target is not None
    results: list[bool] = []

    def take() -> bool:
        got = leases.take(target.pk) is not None
        results.append(got)
        return got

    at_once([take] * 8)
    assert results.count(True) == 1


@pytest.mark.parametrize(
    ("state", "update"),
    [
        ("due", lambda: touch_endpoints(Endpoint.objects.values_list("pk", flat=True))),
        ("retrying", lambda: wake_targets(list(Target.objects.all().order_by("pk")))),
        ("retrying", lambda: breaker.answered(Endpoint.objects.get(slug="keystone"))),
        ("leased", leases.expire),
    ],
)
def test_who_updates_many_targets_takes_them_in_order(
    committed_site: Site, state: str, update: Callable[[], object]
) -> None:
    low, __, high = Target.objects.order_by("pk")
    token = uuid.uuid4() if state == "leased" else None
    Endpoint.objects.filter(slug="keystone").update(state="unreachable")
    # The lowest one last, so that it also lies last in the table.
    for pk in (high.pk, low.pk):
        Target.objects.filter(pk=pk).update(
            state=state, error_kind="unreachable", lease_token=token, lease_until=Now()
        )
    failed: list[Exception] = []

    def run() -> None:
        try:
            update()
        except Exception as error:  # noqa: BLE001 - told to the test below
            failed.append(error)
        finally:
            connection.close()

    other = threading.Thread(target=run)
    with transaction.atomic():
        lock(Target.objects.filter(pk=low.pk))
        other.start()
        until_it_waits(other)
        lock(Target.objects.filter(pk=high.pk))
    other.join(timeout=60)
    assert failed == []
