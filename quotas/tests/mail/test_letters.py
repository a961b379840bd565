"""Which notices stand in which letter, what it says and how mail programs take it."""

import re
from html import unescape

from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from projects.actions.events import record
from projects.models import Event, LetterNotice, Postbox, ProjectChange, User
from projects.outgoing.notices import tell
from projects.states import ChangeKind, ChangeState, NoticeKind
from quotas.tests.mail.acting import (
    HOUR,
    LATER,
    MINUTE,
    ask,
    choose,
    comment,
    grant,
    post,
    read_notices,
    remind,
    say_no,
    states,
    write_and_post,
)
from quotas.tests.mail.conftest import SITE_URL
from quotas.tests.mail.server import MailServer
from quotas.tests.site import NOW, Site


def test_a_letter_says_what_was_done_with_figures_words_and_where_to_go(
    mailed: Site, server: MailServer
) -> None:
    asked = ask(mailed, NOW)
    say_no(mailed, asked, "The zone is full.\nAsk again in May.")
    assert write_and_post() == 1
    (got,) = server.to("alice")
    assert got.message["Subject"] == f"Dana declined #{asked.pk} for atlas-reco"
    assert "vCPU, compute-a (geneva): 10 asked for" in got.text
    assert "> The zone is full.\n  > Ask again in May." in got.text
    assert f"{SITE_URL}/requests/{asked.pk}/" in got.text.splitlines()
    assert "Fri 20 Nov 2026, 12:00 UTC" in got.text


def test_text_and_html_say_the_same(mailed: Site, server: MailServer) -> None:
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "<b>More</b> & more\n.leading dot", NOW)
    grant(mailed, asked, NOW)
    write_and_post()
    (got,) = server.to("alice")
    body = re.sub(r"<(title|style)>.*?</\1>", "", got.html, flags=re.DOTALL)
    told = {" ".join(each.split()) for each in re.split(r"<[^>]+>", body)} - {""}
    text = " ".join(re.sub(r"(?m)^ *> ", "", got.text).split())
    assert [each for each in map(unescape, told) if each.rstrip(":") not in text] == []
    links = set(map(unescape, re.findall(r'href="([^"]+)"', got.html)))
    assert links == set(re.findall(r"https?://\S+", got.text))
    assert all(each.startswith(f"{SITE_URL}/") for each in links)
    assert "<b>" not in got.html, "what people write is no markup"
    assert "src=" not in got.html


def test_what_happens_to_one_thing_in_short_time_is_one_letter(
    mailed: Site, server: MailServer, settings: Settings
) -> None:
    settings.MAIL_GATHER_SECONDS = 120
    asked, other = ask(mailed, NOW), ask(mailed, NOW, mailed.space.slug)
    comment(asked, mailed.bob, "First")
    read_notices(NOW)
    comment(asked, mailed.bob, "Second")
    comment(other, mailed.bob, "Elsewhere")
    read_notices(NOW + MINUTE)
    assert post(NOW + MINUTE) == 0, "more may come"
    comment(asked, mailed.bob, "Third")
    assert write_and_post(NOW + 10 * MINUTE) == 3
    subjects = sorted(each.message["Subject"] for each in server.to("alice"))
    one, two = f"#{asked.pk} for atlas-reco", f"#{other.pk} for atlas-reco"
    assert subjects == sorted([f"{one}: 2 news", f"Bob wrote on {one}", f"Bob wrote on {two}"])


def test_what_waits_for_its_reader_waits_for_nothing_else(mailed: Site, server: MailServer) -> None:
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "For Dana to know")
    remind(asked, mailed.dana)
    read_notices(NOW)
    assert post(NOW) == 1
    (got,) = server.letters
    assert got.recipient == "dana@example.org"
    assert f"{SITE_URL}/decide/{asked.pk}/" in got.text
    assert "vCPU, compute-a (geneva): from 0 to 10" in got.text


def test_a_reminder_of_what_was_decided_meanwhile_is_not_sent(
    mailed: Site, server: MailServer
) -> None:
    asked = ask(mailed, NOW)
    remind(asked, mailed.dana)
    read_notices(NOW)
    grant(mailed, asked, NOW)
    post(NOW)
    assert (states(mailed.dana), server.to("dana")) == (["withheld"], [])


def test_letters_on_one_thing_stand_together_and_each_has_an_id_that_stays(
    mailed: Site, server: MailServer
) -> None:
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "First")
    server.at_end = lambda recipient: "451 Later, please"
    assert write_and_post() == 1
    server.at_end = lambda recipient: "250 Taken"
    assert post(LATER + HOUR) == 1
    grant(mailed, asked, NOW + HOUR)
    write_and_post(NOW + 2 * HOUR)
    first, second = (each.message for each in server.to("alice"))
    host = SITE_URL.removeprefix("https://")
    root = f"<request-{asked.pk}.thread@{host}>"
    assert (first["References"], first["In-Reply-To"]) == (root, root)
    assert second["References"] == root
    assert first["Message-ID"] != second["Message-ID"]
    assert re.fullmatch(rf"<[0-9a-f]{{32}}@{host}>", first["Message-ID"])


def test_machines_are_told_that_it_is_a_machine_and_how_it_is_turned_off(
    mailed: Site, server: MailServer, settings: Settings
) -> None:
    settings.MAIL_REPLY_TO = "Service desk <desk@example.org>"
    grant(mailed, ask(mailed, NOW), NOW)
    assert write_and_post() == 1
    head = server.letters[0].message
    assert head["Auto-Submitted"] == "auto-generated"
    assert head["From"] == "Remit <remit@example.org>"
    assert head["To"] == "Alice <alice@example.org>"
    assert head["Reply-To"] == "Service desk <desk@example.org>"
    assert head["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    lines = server.letters[0].raw.decode("ascii").splitlines()
    (stop,) = (each for each in lines if each.startswith("List-Unsubscribe: "))
    assert re.fullmatch(rf"List-Unsubscribe: <{SITE_URL}/mail/stop/[\w:-]+/>", stop)
    assert max(map(len, lines)) < 998


def test_names_of_others_write_no_header_and_no_line(mailed: Site, server: MailServer) -> None:
    """A name may hold what it likes; in a header it is one line of it."""
    evil = "Mallory\r\nBcc: all@example.org\n\n<script>alert(1)</script>"
    User.objects.filter(subject="dana").update(name=evil)
    User.objects.filter(subject="alice").update(name="Ålïce \u202eécila\u202c, “the, 1st”\x00"[:-1])
    asked = ask(mailed, NOW)
    grant(mailed, asked, NOW)
    assert write_and_post() == 1
    (got,) = server.letters
    assert got.message["Bcc"] is None
    subject = got.message["Subject"]
    assert subject.startswith("Mallory Bcc: all@example.org <script>")
    assert len(subject.splitlines()) == 1
    assert "<script>" not in got.html
    (to,) = got.message["To"].addresses
    assert (to.display_name, to.addr_spec) == ("Ålïce écila, “the, 1st”", "alice@example.org")


def test_a_name_longer_than_a_line_is_one_name_of_one_reader(
    mailed: Site, server: MailServer
) -> None:
    name = "Alice-Alexandra, <mallory@example.org>, guest of the department (until further notice)"
    User.objects.filter(subject="alice").update(name=name)
    grant(mailed, ask(mailed, NOW), NOW)
    assert write_and_post() == 1
    (to,) = server.letters[0].message["To"].addresses
    assert to.addr_spec == "alice@example.org"
    assert to.display_name.startswith("Alice-Alexandra, <mallory@example.org>, guest")


def test_a_very_long_name_makes_a_long_subject_and_no_more(
    mailed: Site, server: MailServer
) -> None:
    User.objects.filter(subject="dana").update(name="Đ" * 200)
    User.objects.filter(subject="alice").update(name="é\u0301" * 100)
    grant(mailed, ask(mailed, NOW), NOW)
    assert write_and_post() == 1
    assert len(server.letters[0].message["Subject"]) == 200


def test_it_is_written_in_the_language_and_the_time_of_its_reader(
    mailed: Site, server: MailServer
) -> None:
    User.objects.filter(subject="alice").update(language="fr", time_zone="Asia/Tokyo")
    grant(mailed, ask(mailed, NOW), NOW)
    assert write_and_post() == 1
    (got,) = server.letters
    assert 'lang="fr"' in got.html
    assert "ven 20 nov 2026, 21:00 JST" in got.text.lower().replace("jst", "JST").replace(".", "")
    assert timezone.get_current_timezone_name() == "UTC"


def test_who_has_no_address_or_left_gets_no_letter(mailed: Site, server: MailServer) -> None:
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "Hello")
    read_notices(NOW)
    User.objects.filter(subject="alice").update(is_active=False)
    assert post(LATER) == 1
    assert (states(mailed.alice), server.letters) == (["withheld"], [])
    User.objects.filter(subject="alice").update(is_active=True, mail="")
    comment(asked, mailed.bob, "Again")
    read_notices(LATER)
    assert states(mailed.alice) == ["withheld"]


def test_an_address_that_is_none_is_not_sent_to(mailed: Site, server: MailServer) -> None:
    evil = "alice@example.org>\r\nRCPT TO:<mallory@example.org"
    User.objects.filter(subject="alice").update(mail=evil)
    grant(mailed, ask(mailed, NOW), NOW)
    assert write_and_post() == 1
    assert (states(mailed.alice), server.letters) == (["refused"], [])


def test_what_may_not_be_seen_any_more_is_left_out(mailed: Site, server: MailServer) -> None:
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "Secret of the project")
    read_notices(NOW)
    mailed.project.memberships.filter(user=mailed.alice).update(ends_at=NOW + MINUTE)
    assert post(LATER) == 1
    assert (states(mailed.alice), server.letters) == (["withheld"], [])


def test_a_notice_stands_in_one_letter_however_often_it_is_read(
    mailed: Site, server: MailServer
) -> None:
    grant(mailed, ask(mailed, NOW), NOW)
    assert write_and_post() == 1
    Postbox.objects.update(after_xid=0, after_id=0)
    write_and_post(LATER + HOUR)
    assert LetterNotice.objects.count() == 1
    assert len(server.letters) == 1


def test_a_notice_that_is_committed_late_is_not_missed(mailed: Site, server: MailServer) -> None:
    """One of a transaction that began before others were committed."""
    asked = ask(mailed, NOW)
    event = Event.objects.get(verb="submitted")
    late = connection.copy()
    try:
        late.set_autocommit(False)
        with late.cursor() as cursor:
            cursor.execute(
                "INSERT INTO projects_notice (event_id, person_id, kind, at) "
                "VALUES (%s, %s, 'nudged', now())",
                [event.pk, mailed.dana.pk],
            )
        comment(asked, mailed.bob, "Committed before it")
        read_notices(NOW)
        assert states(mailed.alice) == [], "above the horizon nothing is read"
        late.commit()
    finally:
        late.close()
    assert write_and_post() == 2
    assert (states(mailed.alice), states(mailed.dana)) == (["sent"], ["sent"])


def test_while_the_site_sends_no_mail_nothing_gathers(
    mailed: Site, server: MailServer, settings: Settings
) -> None:
    host, settings.EMAIL_HOST = settings.EMAIL_HOST, ""
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "Before there was mail")
    read_notices(NOW)
    settings.EMAIL_HOST = host
    grant(mailed, asked, NOW)
    write_and_post()
    (got,) = server.to("alice")
    assert got.message["Subject"].startswith("Dana approved")


def test_a_kind_that_is_off_is_not_mailed_also_when_it_is_turned_off_late(
    mailed: Site, server: MailServer
) -> None:
    asked = ask(mailed, NOW)
    choose(mailed.alice, commented="off")
    comment(asked, mailed.bob, "Not by mail")
    read_notices(NOW)
    assert states(mailed.alice) == []
    grant(mailed, asked, NOW)
    read_notices(NOW)
    choose(mailed.alice, decided="off")
    post(LATER)
    assert (states(mailed.alice), server.to("alice")) == (["withheld"], [])
    assert mailed.alice.notices.count() == 2, "on the first page they stand"


def test_what_is_done_to_a_project_is_one_thread_with_its_page(
    mailed: Site, server: MailServer
) -> None:
    project = mailed.project
    asked = ProjectChange.objects.create(
        project=project, kind=ChangeKind.EXTEND, asked_by=mailed.alice, created_at=NOW,
        until_on=NOW.date(), state=ChangeState.DECLINED, answered_at=NOW,
    )  # fmt: skip
    for verb, kind, subject, number in (
        ("project suspended", NoticeKind.PROJECT, "project", project.pk),
        ("change declined", NoticeKind.CHANGE_ANSWERED, "project_change", asked.pk),
    ):
        event = record(
            verb, actor=mailed.otto, now=NOW, project=project, unit=project.unit,
            subject_kind=subject, subject_id=number,
        )  # fmt: skip
        tell(event, [mailed.alice.pk], kind)
    assert write_and_post() == 1
    (got,) = server.to("alice")
    assert got.message["Subject"] == "atlas-reco: 2 news"
    assert "Otto suspended atlas-reco: nobody works in it for now" in got.text
    assert "Otto did not agree to a change of atlas-reco" in got.text
    for path in ("/projects/atlas-reco/", f"/changes/{asked.pk}/"):
        assert f"{SITE_URL}{path}" in got.text
    assert got.message["References"].startswith(f"<project-{project.pk}.thread@")
