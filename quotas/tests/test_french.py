"""French is whole: nothing that people are shown lacks its words, and they fill in the same."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from babel.messages.catalog import Catalog
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from django.utils.translation.reloader import translation_file_changed

from contrib import messages
from portal.lib import moments
from quotas.models import QuotaRequest
from quotas.tests.pages.deciding import ask, signed_in, text
from quotas.tests.site import GIB, Site

FRENCH = messages.LOCALE / "fr" / "LC_MESSAGES" / "django.po"
# How many strings still wait for their French. It may only fall: a new string comes with
# its own, or another one is translated for it.
UNTRANSLATED = 0


@pytest.fixture(scope="module")
def french() -> Catalog:
    return messages.read(FRENCH)


@pytest.fixture
def compiled() -> None:
    """What `make install` does; pytest alone may find an old one, or one already loaded."""
    if messages.compile_stale(FRENCH):
        translation_file_changed(sender=None, file_path=FRENCH.with_suffix(".mo"))


def words_of(catalogue: Catalog) -> set[tuple[tuple[str, ...], str | None]]:
    return {(messages.forms(each.id), each.context) for each in catalogue if each.id}


def test_each_string_in_code_and_pages_is_in_the_catalogue_and_no_other(french: Catalog) -> None:
    gathered, kept = words_of(messages.gathered()), words_of(french)
    assert (sorted(gathered - kept), sorted(kept - gathered)) == ([], []), "run `make messages`"


def test_no_more_strings_than_before_wait_for_their_french(french: Catalog) -> None:
    left = [each.id for each in french if each.id and not messages.is_translated(each)]
    assert len(left) == UNTRANSLATED, left[:20]


def test_a_translation_fills_in_what_its_string_does_and_none_is_a_guess(french: Catalog) -> None:
    assert list(messages.disagreements(french)) == []
    assert [each.id for each in french if each.id and each.fuzzy] == []
    assert french.plural_forms == "nplurals=2; plural=(n > 1);"


def test_a_translation_that_drops_a_placeholder_or_a_tag_is_noticed() -> None:
    catalogue = Catalog(locale="fr")
    catalogue.add("%(who)s asked", "Alice a demandé")
    catalogue.add("at most <b>%(most)s</b>", "au plus %(most)s")
    catalogue.add(("one more", "%(count)s more"), ("un de plus", "d'autres"))
    catalogue.add("%(now)s %% used", "%(now)s %% utilisés")
    found = [words for _, words in messages.disagreements(catalogue)]
    assert found == ["Alice a demandé", "au plus %(most)s", "d'autres"]


def test_strings_are_gathered_as_gettext_will_ask_for_them() -> None:
    code = '_("one " "string")\nngettext("%(n)s line", "%(n)s lines", n)\ngettext(people["en"])'
    assert list(messages.in_python(code)) == [
        ("one string", None), (("%(n)s line", "%(n)s lines"), None),
    ]  # fmt: skip
    page = (
        '{% load i18n %}<p title="{% translate "80 % used" %}">'
        "{% blocktranslate trimmed count counter=n %}\n  {{ counter }} line\n"
        "{% plural %}\n  {{ counter }} lines\n{% endblocktranslate %}</p>"
    )
    assert list(messages.in_template(page, "page.html")) == [
        ("80 %% used", None), (("%(counter)s line", "%(counter)s lines"), None),
    ]  # fmt: skip


def test_nothing_is_put_into_words_before_a_reader_is_known() -> None:
    """Words of a module or a class are lazy: else they are of whoever was there first."""
    early = []
    for path in messages.sources():
        if path.suffix == ".py":
            tree = ast.parse(path.read_text())
            eager = {
                name.asname or name.name
                for each in tree.body
                if isinstance(each, ast.ImportFrom) and each.module == "django.utils.translation"
                for name in each.names
                if name.name in ("gettext", "ngettext", "pgettext", "npgettext")
            }
            early += [f"{path.name}:{line}" for line in called_early(tree, eager)]
    assert early == []


def called_early(node: ast.AST, names: set[str]) -> Iterator[int]:
    """The lines that call one of these names, but for those in functions, which wait."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.FunctionDef | ast.Lambda):
            continue
        if isinstance(each, ast.Call) and getattr(each.func, "id", "") in names:
            yield each.lineno
        yield from called_early(each, names)


@pytest.mark.usefixtures("compiled")
def test_home_speaks_french_with_its_dates_and_numbers(site_today: Site) -> None:
    site_today.dana.language = "fr"
    site_today.dana.save(update_fields=["language"])
    ask(site_today, {site_today.space.slug: 1536 * GIB})
    shown = text(signed_in(site_today, "dana").get(reverse("home")))
    assert '<html lang="fr"' in shown
    assert "Demandes qui attendent votre décision" in shown
    assert "My requests" not in shown
    assert re.search("alice(</\\w+>)*\N{NO-BREAK SPACE}: ", shown, re.IGNORECASE)
    assert "+1,5\N{NARROW NO-BREAK SPACE}TiB" in shown
    assert re.search(r'title="(lun|mar|mer|jeu|ven|sam|dim)\.? \d', shown, re.IGNORECASE)


@pytest.mark.usefixtures("compiled")
def test_a_refusal_of_the_api_is_in_the_language_that_was_asked_for(site_today: Site) -> None:
    client = Client(headers={"Accept-Language": "fr"})
    client.force_login(site_today.mallory)
    answer = client.get(f"/api/v1/requests/{ask(site_today).pk}/")
    assert answer.status_code == 404
    assert "Cette demande n'existe pas" in answer.json()["detail"]
    assert QuotaRequest.objects.count() == 1


@pytest.mark.usefixtures("compiled")
def test_months_and_days_are_written_as_french_does_and_each_month_has_its_own() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    days = [date(2026, month, 15) for month in range(1, 13)]
    with override("fr"), timezone.override("Europe/Paris"):
        said = [moments.day_words(each, now) for each in days]
        assert (said[2], said[6], said[11]) == ("15 mars", "15 juil.", "15 déc.")
        assert moments.day_words(date(2027, 6, 1), now) == "1 juin 2027"
        assert moments.short_words(now - timedelta(days=2), now) == "19 nov., 13:00"
        assert moments.minute_words(now) == "sam. 21 nov. 2026, 13:00 CET"
        assert moments.exact_words(now) == "sam. 21 nov. 2026, 13:00:00 CET"
    assert len(set(said)) == 12
    assert not any(letter.isupper() for each in said for letter in each)


@pytest.mark.usefixtures("compiled")
def test_what_was_said_once_is_said_to_each_reader_in_their_language_and_zone() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    asked = now - timedelta(days=3)
    for _again in range(2):
        with override("fr"), timezone.override("Europe/Paris"):
            assert moments.minute_words(asked) == "mer. 18 nov. 2026, 13:00 CET"
            assert moments.age_words(asked, now) == "il y a 3 j"
            assert moments.short_words(asked, now) == "18 nov., 13:00"
        with override("en"), timezone.override("Europe/Paris"):
            assert moments.minute_words(asked) == "Wed 18 Nov 2026, 13:00 CET"
            assert moments.age_words(asked, now) == "3 d ago"
            assert moments.age_words(asked, now - timedelta(days=6)) == "in 3 d"
        with override("en"), timezone.override("Asia/Tokyo"):
            assert moments.minute_words(asked) == "Wed 18 Nov 2026, 21:00 JST"
            assert moments.short_words(asked, now) == "18 Nov 21:00"


def test_an_hour_that_comes_twice_is_said_as_two() -> None:
    zone = moments.zone_of("Europe/Paris")
    twice = [datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=fold) for fold in (0, 1)]
    with timezone.override("Asia/Tokyo"):
        said = [moments.minute_words(each) for each in twice]
    assert said == ["Sun 25 Oct 2026, 09:30 JST", "Sun 25 Oct 2026, 10:30 JST"]
