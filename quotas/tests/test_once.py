"""A POST with an Idempotency-Key: which answers are kept, for whom, how long, and which are not."""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.testing.servers import DatabaseCopy
from projects.models import KeptAnswer, Membership, ServiceAccount
from projects.outgoing.kept_answers import KEPT_FOR
from projects.states import Role, TokenScope
from quotas.models import Comment, Decision, QuotaRequest
from quotas.tasks import sweep_kept_answers
from quotas.tests.api import ROOT, Caller, approval, caller, refusal, submit
from quotas.tests.site import Site, join, make_project, make_site
from quotas.tests.test_consumption import bound_of
from quotas.tests.test_tokens import WISH, calling, token_for
from quotas.tests.threads import at_once

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

REPLAYED = "Idempotency-Replayed"


def post(client: Client, path: str, body: Any, key: str = "k", **headers: str) -> "Answer":
    headers = {"Idempotency-Key": key, **headers}
    return client.post(ROOT + path, body, "application/json", headers=headers)


def person(site: Site, name: str) -> Client:
    return caller(site, name).client


def test_a_decision_that_is_sent_again_is_told_again_and_taken_once(site_today: Site) -> None:
    asked = submit(site_today)
    body, dana = approval(site_today, asked), person(site_today, "dana")
    first, again = (post(dana, f"requests/{asked.pk}/approve/", body) for _time in "12")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    assert Decision.objects.count() == 1
    assert site_today.quota(site_today.vcpu) == 100


def test_a_key_is_of_who_sends_it(site_today: Site) -> None:
    body = {"text": "Hello"}
    asked = submit(site_today)
    for name in ("alice", "dana"):
        answer = post(person(site_today, name), f"requests/{asked.pk}/comment/", body)
        assert (answer.status_code, REPLAYED in answer.headers) == (201, False)
    assert Comment.objects.count() == 2


def test_a_session_and_a_token_of_one_person_are_one_bearer(site_today: Site) -> None:
    _token, text = token_for(site_today.alice)
    first = post(person(site_today, "alice"), "requests/", WISH)
    again = post(calling(text), "requests/", WISH)
    assert again.headers[REPLAYED] == "true"
    assert first.json() == again.json()


@pytest.mark.parametrize("asked_as", ["404", "403", "409", "412", "422"])
def test_a_refusal_is_an_answer_that_is_kept(site_today: Site, asked_as: str) -> None:
    asked = submit(site_today)
    approve = f"requests/{asked.pk}/approve/"
    name, path, body = {
        "404": ("mallory", approve, approval(site_today, asked)),
        "403": ("bob", "requests/", WISH),
        "409": ("alice", "requests/", WISH),
        "412": ("dana", approve, approval(site_today, asked, version=7)),
        "422": ("alice", "requests/", {**WISH, "lines": {}}),
    }[asked_as]
    client = person(site_today, name)
    first = post(client, path, body)
    # What stood in the way is gone; the call with this key was answered all the same.
    Membership.objects.filter(user=site_today.bob).update(role=Role.MANAGER)
    join(site_today.project, site_today.mallory, Role.OWNER, timezone.now())
    QuotaRequest.objects.filter(pk=asked.pk).update(version=7)
    again = post(client, path, body)
    assert refusal(first)[0] == refusal(again)[0] == int(asked_as)
    assert first.json() == again.json()
    assert again.headers[REPLAYED] == "true"


def test_another_version_that_was_seen_is_another_call(site_today: Site) -> None:
    """In If-Match as in the body: who read the request anew after 412 gets no old answer."""
    asked, dana = submit(site_today), person(site_today, "dana")
    path, body = f"requests/{asked.pk}/approve/", approval(site_today, asked)
    del body["version"]
    seen = dana.get(f"{ROOT}requests/{asked.pk}/").headers["ETag"]
    old = seen.replace('"1.', '"7.')
    assert refusal(post(dana, path, body, **{"If-Match": old}))[0] == 412
    assert refusal(post(dana, path, body, **{"If-Match": seen})) == (422, "key_reused")
    first, again = (post(dana, path, body, "new", **{"If-Match": seen}) for _time in "12")
    assert (first.status_code, again.headers[REPLAYED]) == (200, "true")


def test_who_was_refused_before_the_call_was_looked_at_may_send_it_again(site_today: Site) -> None:
    assert refusal(post(Client(), "requests/", WISH))[0] == 401
    _token, narrow = token_for(site_today.alice, TokenScope.READ)
    assert refusal(post(calling(narrow), "requests/", WISH))[0] == 403
    _token, wide = token_for(site_today.alice)
    answer = post(calling(wide), "requests/", WISH)
    assert (answer.status_code, REPLAYED in answer.headers) == (201, False)


def test_a_token_without_the_scope_is_not_told_what_another_one_did(site_today: Site) -> None:
    _token, wide = token_for(site_today.alice)
    _token, narrow = token_for(site_today.alice, TokenScope.READ)
    assert post(calling(wide), "requests/", WISH).status_code == 201
    assert refusal(post(calling(narrow), "requests/", WISH)) == (403, "forbidden")


def test_busy_is_not_kept_and_the_same_key_goes_through_later(
    database_copy: DatabaseCopy,
) -> None:
    site = make_site(timezone.now() - timedelta(days=1))
    alice = person(site, "alice")
    with psycopg.connect(database_copy.url) as holder:
        holder.execute("SELECT 1 FROM projects_project FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        answer = post(alice, "requests/", WISH)
        assert refusal(answer) == (409, "busy")
        assert answer.headers["Retry-After"]
    assert not KeptAnswer.objects.exists()
    assert post(alice, "requests/", WISH).status_code == 201


def test_while_the_first_is_not_over_the_second_is_told_so(database_copy: DatabaseCopy) -> None:
    site = make_site(timezone.now() - timedelta(days=1))
    with psycopg.connect(database_copy.url) as holder:
        name = f"person:{site.alice.pk} k"
        holder.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        answer = post(person(site, "alice"), "requests/", WISH)
        assert refusal(answer) == (409, "in_flight")
        assert answer.headers["Retry-After"]
        assert post(person(site, "alice"), "requests/", WISH, "other").status_code == 201
    assert QuotaRequest.objects.count() == 1


def test_sent_eight_times_at_once_it_is_done_once(database_copy: DatabaseCopy) -> None:
    site = make_site(timezone.now() - timedelta(days=1))
    people = [person(site, "alice") for _thread in range(8)]
    answers = at_once([partial(post, each, "requests/", WISH) for each in people])
    assert {each.status_code for each in answers} <= {201, 409}
    assert {refusal(each) for each in answers if each.status_code == 409} <= {(409, "in_flight")}
    assert len({each.content for each in answers if each.status_code == 201}) == 1
    assert QuotaRequest.objects.count() == KeptAnswer.objects.count() == 1


def test_what_is_used_up_goes_up_with_a_key_too_and_is_told_again(site_today: Site) -> None:
    site, now = site_today, timezone.now()
    bound_of(site, "dana", per_decision=128, total=150)
    other = make_project(site, "atlas-sim", "atlas", now - timedelta(hours=1))
    join(other, site.alice, Role.OWNER, now - timedelta(hours=1))
    granted = submit(site)
    refused = submit(site, project=other.slug)
    dana, erin = person(site, "dana"), caller(site, "erin")
    assert _approve(dana, granted, "one").status_code == 200
    assert _queue(erin) == []
    first, again = (_approve(dana, refused, "two") for _time in "12")
    assert refusal(first)[0] == 409
    assert first.json()["facts"]["waits_for"] == again.json()["facts"]["waits_for"] == ["Erin"]
    assert again.headers[REPLAYED] == "true"
    assert _queue(erin) == [refused.pk]


def _approve(client: Client, asked: QuotaRequest, key: str) -> "Answer":
    line = asked.lines.get()
    body = {"granted": {line.pk: 100}, "seen": {line.pk: 0}, "version": asked.version}
    return post(client, f"requests/{asked.pk}/approve/", body, key)


def _queue(who: Caller) -> list[int]:
    return [row["id"] for row in who.get("queue/").json()["results"]]


def test_after_seven_days_a_kept_answer_counts_as_none_and_is_swept_away(site_today: Site) -> None:
    alice = person(site_today, "alice")
    asked = submit(site_today)
    path, body = f"requests/{asked.pk}/comment/", {"text": "Hello"}
    assert post(alice, path, body).status_code == 201
    KeptAnswer.objects.update(at=timezone.now() - KEPT_FOR)
    answer = post(alice, path, body)
    assert (answer.status_code, REPLAYED in answer.headers) == (201, False)
    assert (Comment.objects.count(), KeptAnswer.objects.count()) == (2, 1)
    sweep_kept_answers()
    assert KeptAnswer.objects.count() == 1
    KeptAnswer.objects.update(at=timezone.now() - KEPT_FOR)
    sweep_kept_answers()
    assert not KeptAnswer.objects.exists()


def test_only_posts_have_keys(site_today: Site) -> None:
    alice = person(site_today, "alice")
    draft = post(alice, "requests/", WISH | {"draft": True}, "draft").json()["id"]
    body = {"lines": WISH["lines"], "reason": "Run 5"}
    for _time in "12":
        answer = alice.put(
            f"{ROOT}requests/{draft}/", body, "application/json", headers={"Idempotency-Key": "k"}
        )
        assert (answer.status_code, REPLAYED in answer.headers) == (200, False)
    assert QuotaRequest.objects.get().version == 3
    assert KeptAnswer.objects.count() == 1


def test_another_owner_of_a_service_account_is_not_told_what_the_one_before_was(
    site_today: Site,
) -> None:
    account = ServiceAccount.objects.create(
        name="ci", owner=site_today.alice, project=site_today.project,
        created_at=timezone.now(), created_by=site_today.alice,
    )  # fmt: skip
    _token, text = token_for(None, account=account)
    assert post(calling(text), "requests/", WISH).status_code == 201
    ServiceAccount.objects.update(owner=site_today.bob)
    assert refusal(post(calling(text), "requests/", WISH)) == (422, "key_reused")
    assert QuotaRequest.objects.count() == 1


@pytest.mark.parametrize("key", ["", " ", '""', "k" * 256, "schlüssel"])
def test_what_is_no_key_is_refused(site_today: Site, key: str) -> None:
    answer = post(person(site_today, "alice"), "requests/", WISH, key)
    assert refusal(answer) == (422, "invalid")
    assert not QuotaRequest.objects.exists()


def test_a_form_is_refused_with_a_key_as_without(site_today: Site) -> None:
    """Its CSRF token is looked for in the form, which is read by that."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(site_today.alice)
    token = "c" * 32
    client.cookies[settings.CSRF_COOKIE_NAME] = token
    for headers in ({}, {"Idempotency-Key": "k"}):
        answer = client.post(ROOT + "requests/", {"csrfmiddlewaretoken": token}, headers=headers)
        assert refusal(answer) == (415, "unsupported_media_type")


def test_a_call_that_is_a_fault_of_ours_leaves_nothing(
    site_today: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also nothing of what was done before it failed."""
    alice = person(site_today, "alice")
    alice.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.delattr("quotas.api.requests.answer_request")
        assert post(alice, "requests/", WISH).status_code == 500
    assert not QuotaRequest.objects.exists()
    assert not KeptAnswer.objects.exists()
    assert post(alice, "requests/", WISH).status_code == 201
