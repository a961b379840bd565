"""Files that people write: what they may say, and how it is told where they say it wrong."""

import pytest

from remit_client.failures import Wrong
from remit_client.files import read
from remit_client.tests.conftest import Terminal
from remit_client.tests.scripted import Answer, Scripted
from remit_client.wanted import Wish, wish_of_document

GOOD = "project: telescope\nlines:\n  geneva.compute-a.vcpu: 010\n"
OFFERING = {"slug": "geneva.compute-a.vcpu", "unit": "", "step": 1}


def wishes(terminal: Terminal, text: str) -> list[Wish]:
    file = str(terminal.file("wanted.yaml", text))
    return [wish_of_document(each, file) for each in read(file)]


def test_a_file_says_what_should_be(terminal: Terminal) -> None:
    more = "reason: >-\n  First\n  light ü\nuntil: 2027-03-31\nall_or_nothing: true\n"
    amounts = {"geneva.compute-a.vcpu": "010"}
    assert wishes(terminal, GOOD + more + "---\n" + GOOD) == [
        Wish("telescope", amounts, "First light ü", "2027-03-31", all_or_nothing=True),
        Wish("telescope", amounts),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "says nothing"),
        ("- a\n- b\n", "says nothing"),
        ("{", "is no YAML"),
        ("lines: {a: 1}\n", "`project:` is missing"),
        ("project: telescope\n", "`lines:` is missing"),
        ("project: [a]\nlines: {a: 1}\n", "is one value"),
        (GOOD + "project: other\n", "is no YAML"),
        (GOOD + "  geneva.compute-a.vcpu: 12\n", "is no YAML"),
        (GOOD + "untill: 2027-03-31\n", "`untill` means nothing here"),
        (GOOD + "all_or_nothing: maybe\n", "is true or false"),
        ("project: !!python/object/apply:os.system [id]\nlines: {a: 1}\n", "is one value"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(terminal: Terminal, text: str, sentence: str) -> None:
    with pytest.raises(Wrong) as raised:
        wishes(terminal, text)
    assert sentence in raised.value.sentence


def test_a_file_that_is_none_is_told(terminal: Terminal) -> None:
    (terminal.folder / "latin.yaml").write_bytes(b"project: \xe9")
    for name, sentence in (("latin.yaml", "is not UTF-8"), ("none.yaml", "cannot be read")):
        with pytest.raises(Wrong, match=sentence):
            read(str(terminal.folder / name))


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("+64", "write what it should be in the end"),
        ("64GiB", "this is a count"),
        ("[1]", "is no amount"),
        ("", "is no amount"),
    ],
)
def test_an_amount_in_a_file_is_what_should_be_in_the_end(
    terminal: Terminal, server: Scripted, amount: str, sentence: str
) -> None:
    terminal.sign_in(server.url)
    server.will(
        Answer(body={"results": [OFFERING], "next": None}),
        Answer(body={"quota": []}),
        Answer(body={"results": [], "next": None}),
    )
    text = f"project: telescope\nlines: {{geneva.compute-a.vcpu: {amount}}}\n"
    ended = terminal.run("request", "--file", terminal.file("wanted.yaml", text))
    assert (ended.code, sentence in ended.err) == (2, True)
    assert {each.method for each in server.asked} == {"GET"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("request",),
        ("request", "telescope"),
        ("request", "telescope", "vcpu"),
        ("request", "telescope", "vcpu=1", "vcpu=2"),
        ("request", "telescope", "vcpu=1", "--file", "-"),
        ("wait", "7", "--timeout", "soon"),
        ("wait", "0"),
        ("decline", "7"),
        ("delegate", "--unit", "cm"),
        ("delegate", "--parent", "1", "--to", "erin", "--unit", "cm"),
        ("delegate", "--bound", "vcpu:64"),
        ("no-such-command",),
    ],
)
def test_wrong_usage_is_2_and_calls_nobody(
    terminal: Terminal, server: Scripted, arguments: tuple[str, ...]
) -> None:
    terminal.sign_in(server.url)
    ended = terminal.run(*arguments)
    assert (ended.code, ended.out, server.asked) == (2, "", [])
    assert ended.err
