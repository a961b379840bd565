"""A program calls with a token: who it is then, what it may do, and one effect for a key."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.lib import peppers
from portal.testing.servers import DatabaseCopy
from projects.models import ApiToken, Event, KeptAnswer, ServiceAccount, User
from projects.queries.tokens import text_of
from projects.states import TokenScope
from quotas.models import QuotaRequest
from quotas.tests.site import Site, make_site

WISH = {"project": "atlas-reco", "lines": {"geneva.compute-a.vcpu": 128}, "reason": "Run 4"}


def token_for(
    person: User | None, *scopes: TokenScope, account: ServiceAccount | None = None, **more: object
) -> tuple[ApiToken, str]:
    """A token of a person or a service account, in force, and its text."""
    secret, now, pepper = peppers.new_secret(), timezone.now(), peppers.newest()
    by = person or account.owner  # type: ignore[union-attr]  # one of both
    token = ApiToken.objects.create(
        public_id=secret[:12], digest=peppers.digest(secret, pepper), pepper_id=pepper, name="ci",
        user=person, service_account=account, scopes=scopes or tuple(TokenScope), created_at=now,
        created_by=by, ends_at=now + timedelta(days=30), **more,
    )  # fmt: skip
    return token, text_of(token.public_id, secret)


def calling(text: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {text}"})


def test_a_token_acts_as_its_person_and_the_record_says_by_which(site_today: Site) -> None:
    token, text = token_for(site_today.people["alice"])
    answer = calling(text).post("/api/v1/requests/", WISH, "application/json")
    assert answer.status_code == 201
    made = QuotaRequest.objects.get(pk=answer.json()["id"])
    assert made.requester == site_today.people["alice"]
    event = Event.objects.get(subject_kind="request", subject_id=made.pk, verb="submitted")
    assert (event.actor, event.token) == (site_today.people["alice"], token)
    assert ApiToken.objects.get(pk=token.pk).last_used_at is not None


@pytest.mark.parametrize("change", ["secret", "revoked", "ended", "person"])
def test_what_is_no_token_in_force_is_nobody(site_today: Site, change: str) -> None:
    token, text = token_for(site_today.people["alice"])
    now = timezone.now()
    if change == "secret":
        text = text[:-1] + ("0" if text[-1] != "0" else "1")
    elif change == "revoked":
        ApiToken.objects.filter(pk=token.pk).update(revoked_at=now)
    elif change == "ended":
        ApiToken.objects.update(created_at=now - timedelta(days=2), ends_at=now)
    else:
        User.objects.filter(subject="alice").update(is_active=False)
    answer = calling(text).get("/api/v1/me/")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="remit"'


def test_no_call_waits_for_who_holds_the_row_of_its_token(database_copy: DatabaseCopy) -> None:
    site = make_site(timezone.now() - timedelta(days=1))
    token, text = token_for(site.alice)
    with psycopg.connect(database_copy.url) as holder:
        holder.execute("SELECT 1 FROM projects_apitoken FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        assert calling(text).get("/api/v1/me/").status_code == 200
        assert ApiToken.objects.get(pk=token.pk).last_used_at is None
    assert calling(text).get("/api/v1/me/").status_code == 200
    assert ApiToken.objects.get(pk=token.pk).last_used_at is not None


def test_a_scope_narrows(site_today: Site) -> None:
    _token, text = token_for(site_today.people["alice"], TokenScope.READ)
    assert calling(text).get("/api/v1/requests/").status_code == 200
    answer = calling(text).post("/api/v1/requests/", WISH, "application/json")
    assert (answer.status_code, answer.json()["facts"]["scope"]) == (403, "ask")
    assert not QuotaRequest.objects.exists()


def test_networks_narrow(site_today: Site) -> None:
    _token, text = token_for(site_today.people["alice"], networks=["192.0.2.0/24"])
    assert calling(text).get("/api/v1/me/").status_code == 403
    client = Client(headers={"Authorization": f"Bearer {text}"}, REMOTE_ADDR="192.0.2.9")
    assert client.get("/api/v1/me/").status_code == 200


def test_the_same_key_and_body_has_one_effect_and_one_answer(site_today: Site) -> None:
    _token, text = token_for(site_today.people["alice"])
    client = calling(text)
    key = {"Idempotency-Key": "apply-1"}
    first = client.post("/api/v1/requests/", WISH, "application/json", headers=key)
    again = client.post("/api/v1/requests/", WISH, "application/json", headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["Location"] == again.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert QuotaRequest.objects.count() == KeptAnswer.objects.count() == 1
    other = client.post(
        "/api/v1/requests/", WISH | {"reason": "Other"}, "application/json", headers=key
    )
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
