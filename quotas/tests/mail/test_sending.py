"""What becomes of a letter: sent once, tried again, refused, given up, or perhaps sent."""

import threading
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from projects.actions.events import record
from projects.models import Letter, Postbox, User
from projects.outgoing import posting
from projects.outgoing.letters import write_letters
from projects.outgoing.mail_kinds import GROUPS, KINDS
from projects.outgoing.notices import tell
from projects.states import LetterState, NoticeKind
from quotas import tasks
from quotas.delivery.mail import Postman
from quotas.queries.notice_words import LOOKS
from quotas.queries.project_notices import OF_KINDS
from quotas.tests.mail.acting import (
    DAY,
    HOUR,
    LATER,
    ask,
    comment,
    grant,
    post,
    read_notices,
    states,
    the_letter,
    write_and_post,
)
from quotas.tests.mail.server import MailServer, address
from quotas.tests.site import NOW, Site
from quotas.tests.threads import at_once


def test_two_workers_send_each_letter_once_and_by_one_connection_each(
    mailed: Site, server: MailServer
) -> None:
    for offering in mailed.offerings.values():
        asked = ask(mailed, NOW, offering.slug)
        comment(asked, mailed.bob, "Hello")
        grant(mailed, asked, NOW)
    read_notices(NOW)
    count = Letter.objects.count()
    assert count == 6
    at_once([lambda: read_notices(NOW), lambda: post(LATER), lambda: post(LATER)])
    post(LATER)
    assert set(Letter.objects.values_list("state", flat=True)) == {LetterState.SENT}
    ids = [each.message["Message-ID"] for each in server.letters]
    assert len(ids) == len(set(ids)) == count
    assert server.connection_count <= 3


def test_a_dead_server_holds_up_no_decision_and_gets_all_when_it_is_back(
    mailed: Site, server: MailServer
) -> None:
    server.stop()
    asked, other = ask(mailed, NOW), ask(mailed, NOW, mailed.space.slug)
    grant(mailed, asked, NOW)
    grant(mailed, other, NOW)
    assert asked.lines.get().state == "granted"
    assert write_and_post() == 0
    box = Postbox.objects.get()
    assert (box.failing_since, box.failure_count) == (LATER, 1)
    assert "refused" in box.words.lower()
    assert Letter.objects.get(person=mailed.alice, thread=f"request-{asked.pk}").try_count == 0
    server.start()
    assert post(LATER) == 0, "it is left alone for a while"
    assert post(LATER + HOUR) == 2
    assert len(server.to("alice")) == 2
    assert Postbox.objects.get().failing_since is None


def test_what_is_refused_for_now_is_tried_again(mailed: Site, server: MailServer) -> None:
    grant(mailed, ask(mailed, NOW), NOW)
    server.at_rcpt = lambda recipient: "451 4.7.1 Greylisted, come back"
    assert write_and_post() == 1
    letter = the_letter()
    assert (letter.state, letter.try_count) == (LetterState.DUE, 1)
    assert letter.words == "451 4.7.1 Greylisted, come back"
    assert letter.next_try_at > LATER
    server.at_rcpt = lambda recipient: "250 OK"
    assert post(LATER) == 0
    server.at_end = lambda recipient: "452 No space"
    assert post(LATER + HOUR) == 1
    server.at_end = lambda recipient: "250 Taken as A1"
    assert post(LATER + 3 * HOUR) == 1
    assert (the_letter().state, the_letter().words) == (LetterState.SENT, "250 Taken as A1")
    assert len(server.letters) == 1


@pytest.mark.parametrize("place", ["at_rcpt", "at_end"])
def test_what_is_refused_for_good_ends_with_the_server_s_words_and_holds_up_no_other(
    mailed: Site, server: MailServer, place: str
) -> None:
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "Hello")
    grant(mailed, asked, NOW)
    good = "250 OK"
    setattr(
        server, place,
        lambda to: "550 5.1.1 No such <b>user</b>" if to == address("alice") else good,
    )  # fmt: skip
    assert write_and_post() == 2
    refused = Letter.objects.get(person=mailed.alice)
    assert (refused.state, refused.words) == ("refused", "550 5.1.1 No such <b>user</b>")
    assert (states(mailed.bob), len(server.letters)) == (["sent"], 1)
    assert server.connection_count == 1


def test_a_server_that_takes_no_letter_of_ours_is_away(mailed: Site, server: MailServer) -> None:
    grant(mailed, ask(mailed, NOW), NOW)
    server.at_mail = lambda sender: "550 You may not send"
    assert write_and_post() == 0
    assert Postbox.objects.get().words == "550 You may not send"
    assert (the_letter().state, the_letter().try_count) == (LetterState.DUE, 0)


def test_what_the_server_never_answered_was_perhaps_sent_and_is_not_sent_again(
    mailed: Site, server: MailServer, settings: Settings
) -> None:
    settings.MAIL_ANSWER_SECONDS = 0.3
    grant(mailed, ask(mailed, NOW), NOW)
    server.holds_at = "end"
    assert write_and_post() == 1
    assert the_letter().state == LetterState.UNKNOWN
    assert "timed out" in the_letter().words
    server.holds_at = ""
    server.may_go.set()
    assert post(LATER + DAY) == 0
    assert len(server.letters) == 1


def test_who_lost_the_lease_ends_no_letter(mailed: Site, server: MailServer) -> None:
    """Another may hold it by now; nothing was accepted before the end."""
    grant(mailed, ask(mailed, NOW), NOW)
    read_notices(NOW)
    server.holds_at = "rcpt"
    worker = threading.Thread(target=_post_in_thread)
    worker.start()
    try:
        assert server.is_held.wait(10)
        Letter.objects.update(lease_until=NOW - 365 * DAY)
    finally:
        server.holds_at = ""
        server.may_go.set()
        worker.join(20)
    assert server.letters == []
    assert post(LATER) == 1
    assert len(server.letters) == 1


def _post_in_thread() -> None:
    try:
        with Postman() as postman:
            postman.send_next(LATER)
    finally:
        connection.close()


def test_what_a_lost_worker_was_sending_was_perhaps_sent_and_a_late_answer_counts(
    mailed: Site, server: MailServer
) -> None:
    grant(mailed, ask(mailed, NOW), NOW)
    read_notices(NOW)
    taken = posting.take(LATER)
    assert taken is not None
    assert posting.begin(taken)
    assert posting.find_lost(LATER) == 0, "it is under way"
    Letter.objects.update(lease_until=NOW - 365 * DAY)
    assert post(LATER) == 0
    assert posting.find_lost(LATER) == 1
    assert (the_letter().state, the_letter().words) == (LetterState.UNKNOWN, posting.LOST)
    assert post(LATER) == 0
    assert posting.was_sent(taken, "250 Taken", LATER)
    assert the_letter().state == LetterState.SENT


def test_what_cannot_be_sent_for_days_is_given_up_and_in_time_forgotten(
    mailed: Site, server: MailServer, settings: Settings
) -> None:
    grant(mailed, ask(mailed, NOW), NOW)
    server.at_end = lambda recipient: "451 Later"
    write_and_post()
    assert posting.give_up(LATER + 4 * DAY) == 0
    assert posting.give_up(LATER + 6 * DAY) == 1
    assert (the_letter().state, the_letter().words) == (LetterState.GIVEN_UP, "451 Later")
    assert posting.clean(LATER + 95 * DAY) == 0
    assert posting.clean(LATER + 97 * DAY) == 1
    assert mailed.alice.notices.count() == 1, "the notice stays"


def test_one_worker_at_a_time_tries_a_server_that_fails(
    mailed: Site, server: MailServer, settings: Settings
) -> None:
    settings.MAIL_CONNECTIONS = 2
    for offering in mailed.offerings.values():
        grant(mailed, ask(mailed, NOW, offering.slug), NOW)
    read_notices(NOW)
    first = posting.take(LATER)
    assert first is not None
    posting.put_back(first, "No route", LATER)
    later = LATER + timedelta(minutes=10)
    assert [posting.take(later) is not None for _turn in range(3)] == [True, False, False]
    posting.answers_well(later)
    assert [posting.take(later) is not None for _turn in range(2)] == [True, False]


def test_a_letter_that_cannot_be_written_holds_up_nobody_and_is_tried_again(
    mailed: Site, server: MailServer, settings: Settings
) -> None:
    """Here by a setting that the start would have refused."""
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "Hello")
    grant(mailed, asked, NOW)
    settings.MAIL_REPLY_TO = "desk\r\n@example.org"
    assert write_and_post() == 2
    assert (states(mailed.alice), states(mailed.bob)) == (["due"], ["due"])
    assert "could not be written" in Letter.objects.get(person=mailed.alice).words
    settings.MAIL_REPLY_TO = ""
    assert post(LATER + HOUR) == 2
    assert (states(mailed.alice), states(mailed.bob)) == (["sent"], ["sent"])


def test_without_a_server_letters_are_files_of_a_folder(
    mailed: Site, server: MailServer, settings: Settings, tmp_path: Path
) -> None:
    asked = ask(mailed, NOW)
    grant(mailed, asked, NOW)
    read_notices(NOW)
    settings.EMAIL_HOST = ""
    assert not posting.may_send(LATER), "mail was turned off meanwhile"
    settings.MAIL_FOLDER = str(tmp_path / "mail")
    assert posting.may_send(LATER)
    assert post(LATER) == 1
    (path,) = (tmp_path / "mail").iterdir()
    message = message_from_bytes(path.read_bytes())
    assert message["Subject"] == f"Dana approved #{asked.pk} for atlas-reco"
    assert (the_letter().state, the_letter().words) == (LetterState.SENT, str(path))


def test_the_doors_of_the_workers(mailed: Site, server: MailServer, broker: object) -> None:
    """The sweep writes letters and hints, a hint sends what is due, and the log ends by age."""
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "Hello")
    tasks.sweep_mail()
    assert the_letter().state == LetterState.DUE
    Letter.objects.update(next_try_at=NOW)
    tasks.post_letters()
    assert the_letter().state == LetterState.SENT
    Letter.objects.update(ended_at=NOW - 365 * DAY)
    tasks.sweep_old_mail()
    assert not Letter.objects.exists()


def test_many_people_cost_no_more_statements_than_one(mailed: Site, server: MailServer) -> None:
    project = mailed.project
    people = User.objects.bulk_create(
        [User(subject=f"p-{each}", mail=address(f"p-{each}"), password="!") for each in range(60)]
    )

    def gathering(told: list[User]) -> int:
        event = record("project suspended", actor=None, now=NOW, project=project)
        tell(event, [each.pk for each in told], NoticeKind.PROJECT)
        with CaptureQueriesContext(connection) as captured:
            assert write_letters(NOW) == len(told)
        return len(captured)

    assert gathering(people[:2]) == gathering(people[2:])
    assert Letter.objects.count() == len(people)


def test_every_kind_of_notice_has_a_default_a_place_on_the_page_and_words() -> None:
    shown = [str(each) for _words, kinds in GROUPS for each in kinds]
    assert sorted(shown) == sorted(KINDS) == sorted(NoticeKind.values)
    assert set(NoticeKind.values) == {*map(str, LOOKS), *map(str, OF_KINDS)}
