"""The frame of every page, sign-in and the pages of refusals: whole, and safe under the policy."""

import json
import re
from datetime import UTC, datetime

import pytest
from django import forms
from django.contrib.sessions.backends.base import SessionBase
from django.template.loader import render_to_string
from django.test import RequestFactory

from portal.lib.errors import Forbidden, NoRoom, NotVisible, Stale
from portal.lib.looks import LOOKS
from portal.testing.html import Reader, text_of

NOW = datetime(2026, 11, 17, 13, 2, 11, tzinfo=UTC)
TIB = 2**40


@pytest.fixture(autouse=True)
def kit_urls(settings):
    settings.ROOT_URLCONF = "portal.tests.kit_urls"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


class Person:
    """Stands for whoever is signed in; the frame needs a name and no row."""

    is_authenticated = True

    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name


def page(template, *, user="Dana", **context):
    request = RequestFactory().get("/queue/?unit=3")
    request.session = SessionBase()
    base = {"user": Person(user) if user else None, "now": NOW}
    return render_to_string(template, base | context, request)


ERRORS = [
    NotVisible("There is no such request."),
    Forbidden("You hold a role in atlas-reco."),
    NoRoom("The envelope has 1 TiB left.", unit="B", short=TIB, next_holder="EP"),
    Stale("Bob approved #1040."),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_refused_page_says_the_sentence_and_the_way_back(error):
    html = page("errors/refused.html", error=error, way_back="/requests/1042/")
    assert error.sentence in html
    assert 'href="/requests/1042/"' in html


def test_refused_page_shows_the_figures():
    html = page("errors/refused.html", error=ERRORS[2])
    assert "Missing 1 TiB Who holds more EP" in text_of(html)


class SignIn(forms.Form):
    username = forms.CharField(label="User name")
    password = forms.CharField(label="Password", widget=forms.PasswordInput)


PAGES = [
    ("errors/refused.html", {"error": ERRORS[2]}),
    ("404.html", {}),
    ("403.html", {}),
    ("403_csrf.html", {}),
    ("500.html", {}),
    ("503.html", {"sentence": "The database does not answer."}),
    ("sign_in.html", {"form": SignIn({"username": ""}), "demo_people": ["Alice"]}),
]


@pytest.mark.parametrize("user", ["Dana", None])
@pytest.mark.parametrize(("template", "context"), PAGES, ids=lambda value: str(value)[:20])
def test_page_is_whole_and_has_no_inline_code(template, context, user):
    html = page(template, user=user, queue_count=7, is_operator=True, **context)
    reader = Reader(html.replace("<!doctype html>", ""))
    assert len(reader.ids) == len(set(reader.ids))
    assert html.count("<h1") == 1
    assert not [attrs for _tag, attrs in reader.tags if "style" in attrs or "onclick" in attrs]
    assert all("src" in script for script in reader.all("script"))
    assert "<style" not in html


def test_every_icon_that_is_used_stands_in_the_sprite():
    sprite = set(re.findall(r'id="i-(\w+)"', render_to_string("ui/sprite.html")))
    from_looks = {look.icon for look in LOOKS.values()}
    assert from_looks <= sprite


def test_fault_page_needs_neither_request_nor_context():
    assert "fault" in render_to_string("500.html")


def test_frame_caps_the_count_and_marks_the_place():
    html = page("404.html", queue_count=1234, here="decide")
    assert "Decide 99+ waiting" in text_of(html)
    assert html.count('aria-current="page"') == 1


def test_frame_without_numbers_has_no_count_and_no_operators_link():
    html = page("404.html")
    assert 'class="count"' not in html
    assert "Operations" not in html


def test_frame_of_a_stranger_has_no_navigation():
    html = page("404.html", user=None)
    assert "<nav" not in html
    assert "Sign out" not in html


def test_sign_out_and_language_are_posts_with_a_token():
    forms_of_frame = Reader(page("404.html").replace("<!doctype html>", "")).all("form")
    posts = [form["action"] for form in forms_of_frame if form.get("method") == "post"]
    assert posts == ["/i18n/setlang/", "/sign_out/"]
    assert page("404.html").count("csrfmiddlewaretoken") == 2


@pytest.mark.parametrize("user", ["Dana", None])
def test_foot_leads_to_the_description_of_the_api(user):
    assert '<a href="/reference/">API</a>' in page("404.html", user=user)


def test_htmx_swaps_refusals_and_evaluates_nothing():
    html = page("404.html")
    (config,) = re.findall(r"name=\"htmx-config\" content='([^']*)'", html)
    values = json.loads(config)
    assert (values["allowEval"], values["includeIndicatorStyles"]) == (False, False)
    rules = [(re.compile(rule["code"]), rule["swap"]) for rule in values["responseHandling"]]
    first = {
        status: next(swap for code, swap in rules if code.search(str(status)))
        for status in (200, 204, 403, 404, 409, 412, 422, 500)
    }
    assert {status for status, swap in first.items() if swap} == {200, 409, 412, 422}
