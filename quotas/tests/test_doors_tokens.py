"""The verbs of tokens and service accounts through both doors: equal rows, equal refusals."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.actions import service_accounts, tokens
from projects.models import ApiToken, Event, ServiceAccount, User
from projects.states import Role
from quotas.tests.site import Site, join

DONE = 200
ROOT = "/api/v1/"


@dataclass(frozen=True)
class Act:
    """A verb of a person on the token or the service account that `prepare` made."""

    verb: str
    person: str = "alice"
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Things:
    """What a verb is about: Alice's own token, and a program of hers in the project with one."""

    own: ApiToken
    account: ServiceAccount
    its: ApiToken
    of_unit: ServiceAccount


def prepare(site: Site) -> Things:
    """Mona manages the project beside Alice."""
    now = timezone.now() - timedelta(minutes=1)
    if "mona" not in site.people:
        site.people["mona"] = User.objects.create(subject="mona", name="Mona", password="!")
        join(site.project, site.people["mona"], Role.MANAGER, now)
    account = service_accounts.make(place=site.project, name="ci", actor=site.alice, now=now)
    common: dict[str, Any] = {"scopes": ["read"], "actor": site.alice, "now": now}
    return Things(
        own=tokens.make(name="laptop", **common)[0],
        account=account,
        its=tokens.make(name="pipeline", account=account, **common)[0],
        of_unit=service_accounts.make(
            place=site.units["atlas"], name="bot", actor=site.dana, now=now
        ),
    )


def addresses(act: Act, things: Things) -> tuple[str, list[Any], str]:
    """The page of a verb, the arguments of its address, and the address in the API."""
    own, its = things.own.public_id, things.its.public_id
    account, unit = things.account.public_id, things.of_unit.public_id
    found: dict[str, tuple[str, list[Any], str]] = {
        "make": ("token_list", [], "tokens/"),
        "make its": ("service_account_token", [account], "tokens/"),
        "revoke": ("token_revoke", [own], f"tokens/{own}/revoke/"),
        "revoke its": ("token_revoke", [its], f"tokens/{its}/revoke/"),
        "rotate": ("token_rotate", [own], f"tokens/{own}/rotate/"),
        "rotate its": ("token_rotate", [its], f"tokens/{its}/rotate/"),
        "make account": ("project_account_new", ["atlas-reco"], "service-accounts/"),
        "make in unit": ("unit_account_new", ["atlas"], "service-accounts/"),
        "take over": (
            "service_account_take_over", [account], f"service-accounts/{account}/take-over/",
        ),
        "take over in unit": (
            "service_account_take_over", [unit], f"service-accounts/{unit}/take-over/",
        ),
        "close": ("service_account_close", [account], f"service-accounts/{account}/close/"),
    }  # fmt: skip
    return found[act.verb]


BODIES: dict[str, dict[str, Any]] = {
    "make": {"name": "night", "scopes": ["ask", "read"], "networks": ["192.0.2.0/24"]},
    "make its": {"name": "night", "scopes": ["read"]},
    "make account": {"name": "sync", "purpose": "Keeps in step"},
    "make in unit": {"name": "sync"},
    "rotate": {"overlap_hours": 24},
    "rotate its": {"overlap_hours": 24},
}


def by_page(site: Site, act: Act, things: Things) -> int:
    client = Client()
    client.force_login(site.people[act.person])
    name, args, _path = addresses(act, things)
    sent = BODIES.get(act.verb, {}) | act.more
    form = {("overlap" if key == "overlap_hours" else key): value for key, value in sent.items()}
    if "networks" in form:
        form["networks"] = "\n".join(form["networks"])
    return client.post(reverse(name, args=args), form).status_code


def by_api(site: Site, act: Act, things: Things) -> int:
    client = Client()
    client.force_login(site.people[act.person])
    body = BODIES.get(act.verb, {}) | act.more
    named: dict[str, dict[str, Any]] = {
        "make its": {"service_account": str(things.account.public_id)},
        "make account": {"project": "atlas-reco"},
        "make in unit": {"unit": "atlas"},
    }
    body |= named.get(act.verb, {})
    path = addresses(act, things)[2]
    return client.post(ROOT + path, body, "application/json").status_code


DOORS: dict[str, Callable[[Site, Act, Things], int]] = {"page": by_page, "api": by_api}


def rows() -> dict[str, Any]:
    """Everything that a verb could change; ids and secrets differ from one run to the next."""
    return {
        "tokens": [
            (*each[:-2], (each[-1] - each[-2]).days) for each in ApiToken.objects.order_by("pk")
            .values_list("name", "user__subject", "service_account__name", "scopes", "networks",
                         "revoked_by__subject", "created_by__subject", "created_at", "ends_at")
        ],
        "accounts": list(
            ServiceAccount.objects.order_by("pk").values_list(
                "name", "purpose", "owner__subject", "project__slug", "unit__slug",
                "closed_by__subject",
            )
        ),
        "events": list(
            Event.objects.order_by("pk").values_list(
                "verb", "actor__subject", "project__slug", "unit__slug"
            )
        ),
    }  # fmt: skip


def at(site: Site, door: str, act: Act) -> tuple[int, dict[str, Any], bool]:
    with transaction.atomic():
        things = prepare(site)
        before = rows()
        status = DOORS[door](site, act, things)
        after = rows()
        transaction.set_rollback(True)
    site.people.pop("mona", None)
    return (DONE if status in (200, 201, 302) else status), after, before == after


DONE_ACTS = [
    Act("make"), Act("make its"), Act("revoke"), Act("revoke", "otto"),
    Act("revoke its"), Act("revoke its", "mona"), Act("revoke its", "otto"),
    Act("rotate"), Act("rotate its"), Act("rotate", more={"overlap_hours": 0}),
    Act("make account"), Act("make account", "mona"), Act("make in unit", "dana"),
    Act("take over", "mona"), Act("take over in unit", "erin"),
    Act("close"), Act("close", "mona"), Act("close", "otto"),
]  # fmt: skip

REFUSED_ACTS = [
    (403, Act("make its", "mona")), (404, Act("make its", "mallory")),
    (404, Act("revoke", "mona")), (404, Act("revoke", "mallory")), (403, Act("revoke", "audrey")),
    (404, Act("revoke its", "bob")), (403, Act("rotate", "otto")), (403, Act("rotate its", "mona")),
    (403, Act("make account", "bob")), (404, Act("make account", "mallory")),
    (403, Act("make account", "dana")), (403, Act("make in unit", "alice")),
    (403, Act("take over", "bob")), (409, Act("take over")), (403, Act("close", "bob")),
    (409, Act("make account", more={"name": "ci"})),
    (422, Act("make", more={"name": ""})), (422, Act("make", more={"scopes": ["root"]})),
    (422, Act("make", more={"scopes": []})), (422, Act("make", more={"networks": ["10.0.0.1/8"]})),
    (422, Act("make account", more={"name": " "})),
]  # fmt: skip


def test_both_doors_leave_equal_rows(site_today: Site) -> None:
    for act in DONE_ACTS:
        page, page_rows, is_same = at(site_today, "page", act)
        api, api_rows, _is_same = at(site_today, "api", act)
        assert (page, api, is_same) == (DONE, DONE, False), act
        assert page_rows == api_rows, act


def test_both_doors_refuse_alike(site_today: Site) -> None:
    for status, act in REFUSED_ACTS:
        for door in DOORS:
            found, _rows, is_same = at(site_today, door, act)
            assert (found, is_same) == (status, True), (door, act)
