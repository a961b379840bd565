"""Calls that survive a bad line, and a token that stays at home."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from remit_client.config import Access, Secret
from remit_client.failures import Exit, Failure, Refused, Unreachable, Wrong
from remit_client.site import Site, address
from remit_client.tests.conftest import TOKEN, Terminal
from remit_client.tests.scripted import DROPPED, Answer, Scripted, problem, scripted


class Pauses:
    """A clock that runs only while somebody waits."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def pause(self, seconds: float) -> None:
        self.waited.append(seconds)

    def clock(self) -> float:
        return sum(self.waited)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def site(server: Scripted, pauses: Pauses) -> Site:
    access = Access(server.url, Secret(TOKEN))
    return Site(access, pause=pauses.pause, clock=pauses.clock)


LOST = Answer(DROPPED)
BUSY = problem(409, "busy", "Somebody else is at it.", headers={"Retry-After": "2"})
IN_FLIGHT = problem(409, "in_flight", "The first call is not over.")
AWAY = problem(503, "unavailable", "The database does not answer.", headers={"Retry-After": "2"})


@pytest.mark.parametrize("first", [LOST, BUSY, IN_FLIGHT, AWAY, Answer(502, "<html>")])
def test_a_post_whose_answer_is_lost_is_sent_again_with_the_same_key(
    site: Site, server: Scripted, first: Answer
) -> None:
    server.will(first, first, Answer(201, {"id": 7}))
    assert site.post("requests/", {"project": "atlas"}) == {"id": 7}
    assert [each.body for each in server.asked] == [{"project": "atlas"}] * 3
    assert len({each.headers["Idempotency-Key"] for each in server.asked}) == 1


def test_each_post_has_a_key_of_its_own(site: Site, server: Scripted) -> None:
    server.will(Answer(201, {}))
    site.post("requests/", {})
    site.post("requests/", {})
    assert len({each.headers["Idempotency-Key"] for each in server.asked}) == 2


def test_it_waits_as_long_as_the_site_says(site: Site, server: Scripted, pauses: Pauses) -> None:
    site.patience = 3600
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
    throttled = [
        problem(429, "throttled", "Too many requests.", headers={"Retry-After": each})
        for each in ("7", moment)
    ]
    server.will(*throttled, Answer(body={}))
    assert site.get("me/") == {}
    assert pauses.waited[0] == 7
    assert 800 < pauses.waited[1] <= 1000


def test_it_gives_up_rather_than_wait_longer_than_people_do(
    site: Site, server: Scripted, pauses: Pauses
) -> None:
    server.will(problem(429, "throttled", "Too many requests.", headers={"Retry-After": "3600"}))
    with pytest.raises(Unreachable, match="Too many requests") as raised:
        site.get("me/")
    assert raised.value.details == ("Try again in 3600 seconds.",)
    assert pauses.waited == []


def test_nobody_answers(pauses: Pauses) -> None:
    with scripted() as gone:
        url = gone.url
    site = Site(Access(url, Secret(TOKEN)), pause=pauses.pause, clock=pauses.clock)
    with pytest.raises(Unreachable, match="cannot be reached"):
        site.get("me/")
    assert len(pauses.waited) > 3
    assert sum(pauses.waited) <= 60


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_takes_the_token_nowhere(site: Site, server: Scripted, status: int) -> None:
    with scripted() as other:
        other.will(Answer(body={}))
        server.will(Answer(status, "", {"Location": f"{other.url}/api/v1/me/"}))
        with pytest.raises(Unreachable, match="the token was not sent there"):
            site.get("me/")
        assert other.asked == []
    assert len(server.asked) == 1


def test_a_password_in_netrc_does_not_replace_the_token(
    site: Site, server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.will(Answer(body={}))
    site.get("me/")
    assert server.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_pages_are_read_to_the_end_at_the_address_that_one_signed_in_at(
    site: Site, server: Scripted
) -> None:
    elsewhere = "https://inside.example/api/v1/projects/?cursor=abc%3D&unit=ep&page_size=200"
    server.will(
        Answer(body={"results": [1, 2], "next": elsewhere}),
        Answer(body={"results": [3], "next": None}),
    )
    assert site.pages("projects/", unit="ep") == [1, 2, 3]
    paths = [each.path for each in server.asked]
    assert paths[0] == "/api/v1/projects/?page_size=200&unit=ep"
    assert paths[1] == "/api/v1/projects/?cursor=abc%3D&unit=ep&page_size=200"


def test_an_unchanged_answer_is_asked_for_by_its_etag(site: Site, server: Scripted) -> None:
    server.will(
        Answer(body={"state": "open"}, headers={"ETag": '"1.ab"'}), Answer(304, None),
    )  # fmt: skip
    found, etag, __ = site.get_if_changed("requests/7/", None)
    assert (found, etag) == ({"state": "open"}, '"1.ab"')
    assert site.get_if_changed("requests/7/", etag)[:2] == (None, '"1.ab"')
    assert server.asked[1].headers["If-None-Match"] == '"1.ab"'


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem(401, "not_signed_in", "Sign in first."), Exit.NOT_SIGNED_IN),
        (problem(403, "forbidden", "You may not."), Exit.REFUSED),
        (problem(404, "not_found", "There is no such thing."), Exit.REFUSED),
        (problem(409, "no_room", "Too little."), Exit.REFUSED),
        (problem(412, "stale", "It has changed."), Exit.CHANGED),
        (problem(422, "invalid", "The input is wrong."), Exit.REFUSED),
        (problem(500, "fault", "A fault."), Exit.UNREACHABLE),
        (Answer(200, "<html>", {"Content-Type": "text/html"}), Exit.UNREACHABLE),
        (Answer(404, "<html>", {"Content-Type": "text/html"}), Exit.UNREACHABLE),
    ],
)
def test_each_refusal_has_its_exit_code(
    site: Site, server: Scripted, answer: Answer, code: Exit
) -> None:
    server.will(answer)
    with pytest.raises(Failure) as raised:
        site.get("me/")
    assert raised.value.code == code
    assert len(server.asked) == 1


def test_a_problem_is_told_as_sentences_with_places_and_figures(
    site: Site, server: Scripted
) -> None:
    errors = [{"pointer": "#/lines/geneva.compute-a~1x.vcpu", "detail": "It is too much."}]
    facts = {"short": 64, "next_holder": "EP", "held": [1]}
    server.will(problem(409, "no_room", "It is too much.", errors=errors, facts=facts))
    with pytest.raises(Refused) as raised:
        site.post("requests/", {})
    assert raised.value.sentence == "It is too much."
    assert raised.value.details == (
        "lines / geneva.compute-a/x.vcpu: It is too much.", "short: 64", "next holder: EP",
    )  # fmt: skip


def test_names_lead_nowhere_else() -> None:
    assert address("projects", "a/../b?c#d") == "projects/a%2F..%2Fb%3Fc%23d/"
    for name in ("..", ".", ""):
        with pytest.raises(Wrong):
            address("projects", name)


def test_programs_get_the_problem_as_it_came(terminal: Terminal, server: Scripted) -> None:
    terminal.sign_in(server.url)
    refusal = problem(403, "forbidden", "You may not.")
    server.will(refusal)
    ended = terminal.run("show", 7, "--json")
    assert (ended.code, json.loads(ended.out)) == (1, refusal.body)
    assert ended.err == "remit: You may not.\n"


def test_a_missing_file_of_certificates_is_told(terminal: Terminal, tmp_path: Path) -> None:
    terminal.sign_in("https://127.0.0.1:9")
    ended = terminal.run("whoami", "--ca", tmp_path / "none.pem")
    assert (ended.code, "certificates cannot be read" in ended.err) == (2, True)


def test_a_proxy_is_not_told_the_token_of_a_site_on_this_machine(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.will(Answer(body={"name": "Alice"}))
    with scripted() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert Site(Access(server.url, Secret(TOKEN))).get("me/") == {"name": "Alice"}
        assert (len(server.asked), proxy.asked) == (1, [])
