"""Mail through both doors: equal rows, equal refusals; what operators see of it."""

from datetime import timedelta
from functools import partial

from django.test import Client
from django.utils import timezone

from portal.lib import metrics
from projects.models import DigestHour, Event, Letter, MailChoice, User
from projects.states import LetterState
from quotas.tests.counting import assert_all_flat
from quotas.tests.pages.deciding import page, signed_in, text
from quotas.tests.site import Site

ROOT = "/api/v1/"
JSON = "application/json"


def chosen(person: User) -> tuple[dict[str, str], int | None]:
    ways = dict(MailChoice.objects.filter(person=person).values_list("kind", "way"))
    return ways, DigestHour.objects.filter(person=person).values_list("hour", flat=True).first()


def make_letter(person: User, state: LetterState, number: int = 1042, words: str = "") -> Letter:
    now = timezone.now()
    is_over = state not in (LetterState.DUE, LetterState.SENDING)
    return Letter.objects.create(
        person=person, thread=f"request-{number}", state=state, due_at=now, next_try_at=now,
        created_at=now, ended_at=now if is_over else None, words=words, try_count=3,
    )  # fmt: skip


def test_choices_are_the_same_by_both_doors(site_today: Site) -> None:
    site = site_today
    wanted = ({"commented": "digest", "name taken": "off"}, 9)
    form = {"kind-commented": "digest", "kind-name-taken": "off", "digest_hour": "9"}
    assert signed_in(site, "alice").post("/me/mail/", form).status_code == 302
    body = {"kinds": wanted[0], "digest_hour": 9}
    answer = signed_in(site, "bob").put(f"{ROOT}me/mail/", body, JSON)
    assert chosen(site.alice) == chosen(site.bob) == wanted
    told = {each["kind"]: each for each in answer.json()["kinds"]}
    assert told["commented"] == {
        "kind": "commented", "way": "digest", "chosen": "digest", "usual": "at once",
    }  # fmt: skip
    assert (answer.json()["digest_comes_at"], told["decided"]["chosen"]) == (9, None)
    # What is not named is as usual again.
    signed_in(site, "alice").post("/me/mail/", {})
    signed_in(site, "bob").put(f"{ROOT}me/mail/", {}, JSON)
    assert chosen(site.alice) == chosen(site.bob) == ({}, None)


def test_what_cannot_be_chosen_is_refused_by_both_doors(site_today: Site) -> None:
    client = signed_in(site_today, "alice")
    assert client.post("/me/mail/", {"kind-decided": "weekly"}).status_code == 422
    answer = client.put(f"{ROOT}me/mail/", {"kinds": {"decided": "weekly"}}, JSON)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#/kinds/decided"]
    assert chosen(site_today.alice) == ({}, None)


def test_the_page_shows_what_is_chosen_and_whether_mail_comes(site_today: Site) -> None:
    client = signed_in(site_today, "alice")
    client.post("/me/mail/", {"kind-decided": "off", "digest_hour": "7"})
    said = text(client.get("/me/mail/"))
    assert '<option value="off" selected>not by mail</option>' in said
    assert '<option value="7" selected>7:00</option>' in said
    assert "This site sends no mail yet" in said


def test_an_operator_has_a_letter_sent_again_by_both_doors(site_today: Site) -> None:
    site = site_today
    otto = signed_in(site, "otto")
    for send, state in (
        (lambda pk: otto.post(f"/operations/mail/{pk}/again/"), LetterState.UNKNOWN),
        (lambda pk: otto.post(f"{ROOT}letters/{pk}/again/", {}, JSON), LetterState.GIVEN_UP),
    ):
        letter = make_letter(site.alice, state, words="451 Later")
        assert send(letter.pk).status_code in (200, 302)
        letter.refresh_from_db()
        assert (letter.state, letter.try_count, letter.ended_at) == (LetterState.DUE, 0, None)
        event = Event.objects.get(verb="letter sent again", subject_id=letter.pk)
        assert event.actor == site.otto
        assert send(letter.pk).status_code == 409, "it is on its way"
    assert signed_in(site, "audrey").post(f"/operations/mail/{letter.pk}/again/").status_code == 403


def test_operators_see_what_did_not_go_out_and_the_server_s_words(site_today: Site) -> None:
    site = site_today
    make_letter(site.alice, LetterState.REFUSED, words="550 No <i>such</i> user")
    make_letter(site.bob, LetterState.SENT, 1043)
    said = text(page(site, "otto", "/operations/mail/"))
    assert "550 No &lt;i&gt;such&lt;/i&gt; user" in said
    assert "#1042" in said
    assert "#1043" not in said
    assert "#1043" in text(page(site, "audrey", "/operations/mail/?state=sent"))
    told = signed_in(site, "otto").get(f"{ROOT}mail/").json()
    assert (told["is_on"], told["counts"]) == (False, {"refused": 1, "sent": 1})
    (letter,) = signed_in(site, "otto").get(f"{ROOT}letters/?state=sent").json()["results"]
    assert (letter["about"], letter["person"]["name"]) == ("#1043", "Bob")
    assert Client().get(f"{ROOT}mail/").status_code == 401


def test_letters_cost_the_same_for_few_and_for_many(site_today: Site) -> None:
    def grow() -> None:
        for number in range(50):
            person = User.objects.create(subject=f"reader-{number}", password="!")
            make_letter(person, LetterState.GIVEN_UP, number)

    make_letter(site_today.alice, LetterState.GIVEN_UP)
    client = signed_in(site_today, "otto")
    pages = {"mail_state": "/operations/mail/", "api letters/": f"{ROOT}letters/"}
    assert_all_flat({name: partial(client.get, url) for name, url in pages.items()}, grow)


def test_the_metrics_tell_what_waits_and_what_did_not_go_out(site_today: Site) -> None:
    letter = make_letter(site_today.alice, LetterState.DUE)
    Letter.objects.filter(pk=letter.pk).update(due_at=timezone.now() - timedelta(hours=1))
    make_letter(site_today.alice, LetterState.UNKNOWN)
    said = metrics.exposition().decode()
    assert 'remit_letters{state="due"} 1.0' in said
    assert 'remit_letters{state="unknown"} 1.0' in said
    (oldest,) = (x for x in said.splitlines() if x.startswith("remit_letter_oldest_due_seconds "))
    assert float(oldest.split()[1]) >= 3600
    assert "remit_mail_server_up" in said
