"""The two doors: each verb as a page's form sends it and as a program sends it to the API.

A door takes an Act and answers with a status, DONE where it was done. What an act names
by role (a project, the lines of a request) each door writes in its own words.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from django.urls import reverse

from portal.lib.amounts import input_text
from quotas.models import Offering, QuotaRequest, RequestLine
from quotas.tests.api import ROOT
from quotas.tests.site import Site

DONE = 200


@dataclass(frozen=True)
class Act:
    """A verb of a person with what it takes.

    amounts: {offering: absolute limit} that are wanted or granted; None: as they are.
    """

    verb: str
    person: str
    amounts: Mapping[str, int] | None = None
    text: str = "tests"
    until_on: str | None = None
    all_or_nothing: bool = False
    version: int | None = None
    seen: int | None = None
    project: str = "atlas-reco"
    more: Mapping[str, Any] = field(default_factory=dict)


def lines_of(asked: QuotaRequest) -> list[RequestLine]:
    return list(asked.lines.select_related("offering__resource").order_by("pk"))


def version_of(act: Act, asked: QuotaRequest) -> int:
    return asked.version if act.version is None else act.version


def seen_by(act: Act, site: Site, line: RequestLine) -> int:
    return site.quota(line.offering) if act.seen is None else act.seen


def granted_by(act: Act, line: RequestLine) -> int:
    return (act.amounts or {}).get(line.offering.slug, line.wanted)


def through_page(site: Site, act: Act, asked: QuotaRequest | None) -> int:
    """As a browser sends the form, without JavaScript."""
    client = Client()
    client.force_login(site.people[act.person])
    name, number, form = PAGES[act.verb](site, act, asked)
    answer = client.post(reverse(name, args=number), form)
    # A form that went through leads somewhere; anything else shows the page again.
    return DONE if answer.status_code == 302 else answer.status_code


def through_api(site: Site, act: Act, asked: QuotaRequest | None) -> int:
    """As a program sends it."""
    client = Client()
    client.force_login(site.people[act.person])
    method, path, body = CALLS[act.verb](site, act, asked)
    answer = client.generic(method, ROOT + path, json.dumps(body), "application/json")
    return DONE if answer.status_code < 300 else answer.status_code


DOORS = {"page": through_page, "api": through_api}

Form = Callable[[Site, Act, Any], tuple[str, list[int], dict[str, Any]]]
Call = Callable[[Site, Act, Any], tuple[str, str, dict[str, Any]]]


# --- as a page writes it ----------------------------------------------------------------


def _typed(amounts: Mapping[str, int], keys: Mapping[str, object]) -> dict[str, str]:
    """{amount-<key>: text}; keys: {offering: what the page calls its row}."""
    units = dict(Offering.objects.values_list("slug", "resource__unit"))
    return {
        f"amount-{keys.get(slug, slug)}": input_text(amount, units.get(slug, ""))
        if 0 <= amount < 2**62
        else str(amount)
        for slug, amount in amounts.items()
    }


def _wish_form(act: Act, do: str) -> dict[str, Any]:
    form: dict[str, Any] = {"project": act.project, "reason": act.text, "do": do, "until": "stays"}
    form |= _typed(act.amounts or {}, {})
    if act.until_on is not None:
        form |= {"until": "date", "until_on": act.until_on}
    if act.all_or_nothing:
        form["all_or_nothing"] = "on"
    return form


def _line_form(act: Act, asked: QuotaRequest, text_name: str) -> dict[str, Any]:
    keys = {line.offering.slug: line.pk for line in lines_of(asked)}
    form = {text_name: act.text, "version": version_of(act, asked)}
    return form | _typed(act.amounts or {}, keys)


def _decision_form(site: Site, act: Act, asked: QuotaRequest) -> dict[str, Any]:
    lines = lines_of(asked)
    form: dict[str, Any] = {
        "line": [line.pk for line in lines],
        "version": version_of(act, asked),
        "note": act.text,
        "reason": act.text,
        "confirmed": "yes",
    }
    for line in lines:
        amount = granted_by(act, line)
        text = input_text(amount, line.offering.resource.unit) if amount >= 0 else str(amount)
        form |= {f"grant-{line.pk}": text, f"seen-{line.pk}": seen_by(act, site, line)}
    return form


PAGES: dict[str, Form] = {
    "submit": lambda s, a, r: ("request_new", [], _wish_form(a, "send")),
    "submit_for": lambda s, a, r: (
        "request_new",
        [],
        _wish_form(a, "send") | {"requester": s.alice.public_id},
    ),
    "save_draft": lambda s, a, r: ("request_new", [], _wish_form(a, "draft")),
    "replace_draft": lambda s, a, r: ("request_edit", [r.pk], _wish_form(a, "draft")),
    "submit_draft": lambda s, a, r: ("request_submit", [r.pk], {}),
    "discard_draft": lambda s, a, r: ("request_discard", [r.pk], {}),
    "amend": lambda s, a, r: ("request_amend", [r.pk], _line_form(a, r, "reason")),
    "answer": lambda s, a, r: ("request_answer", [r.pk], _line_form(a, r, "text")),
    "withdraw": lambda s, a, r: ("request_withdraw", [r.pk], {}),
    "comment": lambda s, a, r: ("request_comment", [r.pk], {"text": a.text}),
    "watch": lambda s, a, r: ("request_watch", [r.pk], {}),
    "unwatch": lambda s, a, r: ("request_unwatch", [r.pk], {}),
    "approve": lambda s, a, r: ("request_approve", [r.pk], _decision_form(s, a, r)),
    "endorse": lambda s, a, r: ("request_endorse", [r.pk], _decision_form(s, a, r)),
    "nudge": lambda s, a, r: ("request_nudge", [r.pk], {}),
    "decline": lambda s, a, r: ("request_decline", [r.pk], _decision_form(s, a, r)),
    "return": lambda s, a, r: ("request_return", [r.pk], _decision_form(s, a, r)),
}


# --- as a program writes it -------------------------------------------------------------


def _wish_body(act: Act) -> dict[str, Any]:
    return {
        "lines": dict(act.amounts or {}),
        "reason": act.text,
        "until_on": act.until_on,
        "all_or_nothing": act.all_or_nothing,
    }


def _line_body(act: Act, asked: QuotaRequest, text_name: str) -> dict[str, Any]:
    return {
        "lines": dict(act.amounts or {}), text_name: act.text, "version": version_of(act, asked),
    }  # fmt: skip


def _grant_body(site: Site, act: Act, asked: QuotaRequest) -> dict[str, Any]:
    lines = lines_of(asked)
    return {
        "granted": {str(line.pk): granted_by(act, line) for line in lines},
        "seen": {str(line.pk): seen_by(act, site, line) for line in lines},
        "version": version_of(act, asked),
        "reason": act.text,
    }


def _endorse_body(act: Act, asked: QuotaRequest) -> dict[str, Any]:
    return {
        "endorsed": {str(line.pk): granted_by(act, line) for line in lines_of(asked)},
        "version": version_of(act, asked), "reason": act.text,
    }  # fmt: skip


def _refuse_body(act: Act, asked: QuotaRequest) -> dict[str, Any]:
    return {
        "lines": [line.pk for line in lines_of(asked)], "reason": act.text,
        "version": version_of(act, asked),
    }  # fmt: skip


def _new_body(act: Act, *, is_draft: bool) -> dict[str, Any]:
    return {"project": act.project, **_wish_body(act), "draft": is_draft}


CALLS: dict[str, Call] = {
    "submit": lambda s, a, r: ("POST", "requests/", _new_body(a, is_draft=False)),
    "submit_for": lambda s, a, r: (
        "POST",
        "requests/",
        _new_body(a, is_draft=False) | {"requester": str(s.alice.public_id)},
    ),
    "save_draft": lambda s, a, r: ("POST", "requests/", _new_body(a, is_draft=True)),
    "replace_draft": lambda s, a, r: ("PUT", f"requests/{r.pk}/", _wish_body(a)),
    "submit_draft": lambda s, a, r: ("POST", f"requests/{r.pk}/submit/", {}),
    "discard_draft": lambda s, a, r: ("DELETE", f"requests/{r.pk}/", {}),
    "amend": lambda s, a, r: ("POST", f"requests/{r.pk}/amend/", _line_body(a, r, "reason")),
    "answer": lambda s, a, r: ("POST", f"requests/{r.pk}/answer/", _line_body(a, r, "text")),
    "withdraw": lambda s, a, r: ("POST", f"requests/{r.pk}/withdraw/", {}),
    "comment": lambda s, a, r: ("POST", f"requests/{r.pk}/comment/", {"text": a.text}),
    "watch": lambda s, a, r: ("POST", f"requests/{r.pk}/watch/", {}),
    "unwatch": lambda s, a, r: ("POST", f"requests/{r.pk}/unwatch/", {}),
    "approve": lambda s, a, r: ("POST", f"requests/{r.pk}/approve/", _grant_body(s, a, r)),
    "endorse": lambda s, a, r: ("POST", f"requests/{r.pk}/endorse/", _endorse_body(a, r)),
    "nudge": lambda s, a, r: ("POST", f"requests/{r.pk}/nudge/", {}),
    "decline": lambda s, a, r: ("POST", f"requests/{r.pk}/decline/", _refuse_body(a, r)),
    "return": lambda s, a, r: ("POST", f"requests/{r.pk}/return/", _refuse_body(a, r)),
}
