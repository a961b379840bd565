"""Tokens and service accounts through both doors: made by people, shown once, ended at once."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from portal.lib import pace
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.networks import networks_from
from projects.actions import service_accounts, tokens
from projects.actions.token_ends import warn_of_tokens
from projects.models import ApiToken, Event, KeptAnswer, Membership, Notice, User
from projects.states import NoticeKind, TokenScope
from quotas.tests.counting import assert_flat
from quotas.tests.site import Site
from quotas.tests.test_doors_tokens import ROOT, prepare, rows
from quotas.tests.test_tokens import calling, token_for


def test_a_token_is_shown_once_and_opens_the_door(site_today: Site, client: Client) -> None:
    client.force_login(site_today.alice)
    made = client.post(reverse("token_list"), {"name": "ci", "scopes": ["read"]})
    (text,) = re.findall(r"remit_[0-9a-f]{12}_[0-9a-f]{64}", made.content.decode())
    assert "no-store" in made.headers["Cache-Control"]
    assert calling(text).get(ROOT + "me/").json()["subject"] == "alice"
    secret = text.rpartition("_")[2]
    for name, args in (("token_list", []), ("token_detail", [text.split("_")[1]])):
        assert secret not in client.get(reverse(name, args=args)).content.decode()
    for path in ("tokens/", f"tokens/{text.split('_')[1]}/"):
        assert secret not in client.get(ROOT + path).content.decode()
    assert secret.encode() not in bytes(ApiToken.objects.get().digest)


def test_an_answer_that_is_kept_for_its_key_holds_no_secret(site_today: Site) -> None:
    client = Client(headers={"Idempotency-Key": "one"})
    client.force_login(site_today.alice)
    body = {"name": "ci", "scopes": ["read"]}
    first = client.post(ROOT + "tokens/", body, "application/json").json()
    again = client.post(ROOT + "tokens/", body, "application/json").json()
    assert first["token"].startswith(f"remit_{first['id']}_")
    assert again == first | {"token": None}
    assert first["token"] not in KeptAnswer.objects.get().body
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "tokens/"), ("POST", "tokens/{id}/rotate/"), ("POST", "tokens/{id}/revoke/"),
     ("POST", "service-accounts/"), ("POST", "service-accounts/{account}/close/"),
     ("POST", "service-accounts/{account}/take-over/")],
)  # fmt: skip
def test_no_token_makes_or_changes_tokens(site_today: Site, method: str, path: str) -> None:
    things = prepare(site_today)
    _token, text = token_for(site_today.alice)
    before = rows()
    where = path.format(id=things.own.public_id, account=things.account.public_id)
    answer = calling(text).generic(
        method, ROOT + where, '{"name": "x", "scopes": ["read"]}', "application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert rows() == before


@pytest.mark.parametrize("scope", TokenScope.values)
def test_a_token_of_any_scope_ends_itself_at_once(site_today: Site, scope: str) -> None:
    token, text = token_for(site_today.alice, TokenScope(scope))
    answer = calling(text).post(ROOT + "tokens/current/revoke/", {}, "application/json")
    assert answer.status_code == 204
    assert calling(text).get(ROOT + "me/").status_code == 401
    event = Event.objects.get(verb="token revoked")
    assert (event.actor, event.token, event.subject_id) == (site_today.alice, token, token.pk)


def test_actions_refuse_a_token_whatever_the_door_says(site_today: Site) -> None:
    things, now = prepare(site_today), timezone.now()
    actor = User.objects.get(subject="alice")
    actor.token, _text = token_for(site_today.alice)
    calls: list[Callable[[], object]] = [
        lambda: tokens.make(name="x", scopes=["read"], actor=actor, now=now),
        lambda: tokens.rotate(token=things.own, actor=actor, now=now),
        lambda: tokens.revoke(token=things.own, actor=actor, now=now),
        lambda: service_accounts.make(place=site_today.project, name="x", actor=actor, now=now),
        lambda: service_accounts.close(account=things.account, actor=actor, now=now),
    ]
    for call in calls:
        with pytest.raises(Forbidden):
            call()


def test_rotation_ends_the_old_secret_now_or_after_an_overlap(site_today: Site) -> None:
    now = timezone.now()
    common: dict[str, Any] = {"actor": site_today.alice, "now": now}
    old, _text = tokens.make(name="ci", scopes=["read"], networks=["192.0.2.0/24"], **common)
    new, text = tokens.rotate(token=old, overlap=timedelta(hours=24), **common)
    old.refresh_from_db()
    assert (old.revoked_at, old.ends_at) == (None, now + timedelta(hours=24))
    assert (new.name, new.scopes, new.networks) == (old.name, old.scopes, old.networks)
    assert new.public_id != old.public_id
    assert new.public_id in text
    tokens.rotate(token=new, **common)
    new.refresh_from_db()
    assert new.revoked_at == now


def test_who_takes_over_a_program_answers_for_no_secret_of_others(site_today: Site) -> None:
    things = prepare(site_today)
    _made, text = tokens.make(
        name="x", scopes=["read"], account=things.account, actor=site_today.alice,
        now=timezone.now(),
    )  # fmt: skip
    assert calling(text).get(ROOT + "me/").json()["subject"] == "alice"
    mona = site_today.people["mona"]
    service_accounts.take_over(account=things.account, actor=mona, now=timezone.now())
    assert calling(text).get(ROOT + "me/").status_code == 401
    things.account.refresh_from_db()
    assert things.account.owner == mona


def test_closing_a_program_ends_its_tokens(site_today: Site) -> None:
    things = prepare(site_today)
    service_accounts.close(account=things.account, actor=site_today.alice, now=timezone.now())
    things.its.refresh_from_db()
    assert things.its.revoked_by == site_today.alice
    with pytest.raises(Conflict):
        tokens.make(
            name="x", scopes=["read"], account=things.account, actor=site_today.alice,
            now=timezone.now(),
        )  # fmt: skip


def test_an_owner_without_a_role_makes_no_tokens_but_may_end_them(site_today: Site) -> None:
    things, now = prepare(site_today), timezone.now()
    Membership.objects.filter(user=site_today.alice).update(ends_at=now)
    with pytest.raises(Forbidden):
        tokens.make(
            name="x", scopes=["read"], account=things.account, actor=site_today.alice, now=now
        )
    tokens.revoke(token=things.its, actor=site_today.alice, now=now)


def test_at_most_fifty_tokens_are_in_force(site_today: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr(tokens, "MOST_LIVE", 2)
    common: dict[str, Any] = {"scopes": ["read"], "actor": site_today.alice, "now": timezone.now()}
    first, _text = tokens.make(name="one", **common)
    tokens.make(name="two", **common)
    with pytest.raises(Conflict):
        tokens.make(name="three", **common)
    tokens.revoke(token=first, actor=site_today.alice, now=common["now"])
    tokens.make(name="three", **common)


@pytest.mark.parametrize("days", [-1, 0, 366])
def test_an_end_lies_ahead_and_within_what_the_site_allows(site_today: Site, days: int) -> None:
    now = timezone.now()
    with pytest.raises(Invalid) as refused:
        tokens.make(
            name="x", scopes=["read"], ends_at=now + timedelta(days=days), actor=site_today.alice,
            now=now,
        )  # fmt: skip
    assert set(refused.value.errors) == {"ends_at"}


def test_without_an_end_it_is_ninety_days_or_the_most(site_today: Site, settings: Settings) -> None:
    now = timezone.now()
    common: dict[str, Any] = {"scopes": ["read"], "actor": site_today.alice, "now": now}
    assert tokens.make(name="x", **common)[0].ends_at == now + timedelta(days=90)
    settings.TOKEN_MOST_DAYS = 7
    assert tokens.make(name="y", **common)[0].ends_at == now + timedelta(days=7)


def test_the_secret_key_may_change_while_its_fallback_is_named(
    site_today: Site, settings: Settings
) -> None:
    from portal.lib.peppers import peppers_from  # what the settings make of them

    old, new = "o" * 50, "n" * 50
    settings.TOKEN_PEPPERS = peppers_from([], [old])
    _token, text = token_for(site_today.alice)
    settings.TOKEN_PEPPERS = peppers_from([], [new, old])
    assert calling(text).get(ROOT + "me/").status_code == 200
    later, _text = token_for(site_today.alice)
    assert later.pepper_id == next(iter(settings.TOKEN_PEPPERS))
    settings.TOKEN_PEPPERS = peppers_from([], [new])
    assert calling(text).get(ROOT + "me/").status_code == 401


def test_the_lists_cost_the_same_for_many(site_today: Site, client: Client) -> None:
    things = prepare(site_today)
    client.force_login(site_today.alice)
    now = timezone.now()

    def grow() -> None:
        for number in range(9):
            account = service_accounts.make(
                place=site_today.project, name=f"p{number}", actor=site_today.alice, now=now
            )
            for bearer in (None, account, things.account):
                tokens.make(
                    name="x", scopes=["read"], account=bearer, actor=site_today.alice, now=now
                )

    pages = {
        "token_list": reverse("token_list"),
        "project_accounts": reverse("project_accounts", args=["atlas-reco"]),
        "service_account": reverse("service_account", args=[things.account.public_id]),
        "api_tokens": reverse("api_tokens"),
        "api_service_accounts": reverse("api_service_accounts"),
    }
    for name, address in pages.items():

        def load(address: str = address) -> None:
            assert client.get(address).status_code == 200

        with transaction.atomic():
            assert_flat(name, load, grow)
            transaction.set_rollback(True)


def test_who_holds_a_token_is_told_once_before_it_ends(site_today: Site, client: Client) -> None:
    now = timezone.now()
    things = prepare(site_today)
    common: dict[str, Any] = {"scopes": ["read"], "actor": site_today.alice, "now": now}
    tokens.make(name="short", ends_at=now + timedelta(days=7), **common)
    replaced, _text = tokens.make(name="replaced", **common)
    tokens.rotate(token=replaced, overlap=timedelta(days=7), actor=site_today.alice, now=now)
    assert warn_of_tokens(now) == 0
    near = things.own.ends_at - timedelta(days=13)
    assert (warn_of_tokens(near), warn_of_tokens(near)) == (3, 0)
    told = Notice.objects.filter(kind=NoticeKind.TOKEN_ENDS)
    assert {each.person for each in told} == {site_today.alice}
    client.force_login(site_today.alice)
    page = client.get(reverse("notice_list")).content.decode()
    assert "The token “pipeline” ends soon" in page
    of_its = told.get(event__subject_id=things.its.pk)
    opened = client.post(reverse("notice_read"), {"open": of_its.pk, "from": "list"})
    assert opened.headers["Location"] == reverse("token_detail", args=[things.its.public_id])
    subjects = [each["subject"] for each in client.get(ROOT + "notices/").json()["results"]]
    assert {"kind": "token", "id": things.own.public_id} in subjects


def test_too_many_calls_are_told_when_to_come_back(
    site_today: Site, broker: object, settings: Settings
) -> None:
    settings.LIMITS_URL = settings.CELERY_BROKER_URL
    settings.API_RATE_PER_MINUTE, settings.API_RATE_BURST = 6, 2
    pace.forget_failure()
    _token, text = token_for(site_today.alice)
    answers = [calling(text).get(ROOT + "me/") for _number in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert [each.headers["RateLimit"][:9] for each in answers] == [
        '"api";r=1', '"api";r=0', '"api";r=0',
    ]  # fmt: skip
    assert {each.headers["RateLimit-Policy"] for each in answers} == {'"api";q=2;w=20'}
    assert answers[2].json()["code"] == "throttled"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 10
    # Another token of the same person, and the person in a browser, have counts of their own.
    _other, other = token_for(site_today.alice)
    assert calling(other).get(ROOT + "me/").status_code == 200
    client = Client()
    client.force_login(site_today.alice)
    assert [client.get(ROOT + "me/").status_code for _number in range(3)] == [200, 200, 429]


def test_operators_see_that_calls_are_not_limited(
    site_today: Site, client: Client, settings: Settings
) -> None:
    settings.API_RATE_PER_MINUTE, settings.LIMITS_URL = 600, ""
    client.force_login(site_today.otto)
    assert "Degraded" in client.get(reverse("endpoint_list")).content.decode()
    settings.API_RATE_PER_MINUTE = 0
    assert "Degraded" not in client.get(reverse("endpoint_list")).content.decode()


def test_a_forged_address_opens_no_network(site_today: Site, settings: Settings) -> None:
    _token, text = token_for(site_today.alice, networks=["192.0.2.0/24"])
    forged = {"X-Forwarded-For": "192.0.2.9", "Authorization": f"Bearer {text}"}
    assert Client(headers=forged).get(ROOT + "me/").status_code == 403
    settings.TRUSTED_PROXIES = networks_from(["127.0.0.0/8"])
    assert Client(headers=forged).get(ROOT + "me/").status_code == 200
    forged["X-Forwarded-For"] = "192.0.2.9, 198.51.100.7"
    assert Client(headers=forged).get(ROOT + "me/").status_code == 403
