"""The readers of the environment: what they take, and the sentence for what they do not."""

import pytest

from portal.lib import env
from portal.lib.database_url import parse_database_url


@pytest.mark.parametrize(
    ("value", "expected"),
    [("on", True), ("TRUE", True), ("1", True), ("yes", True), (" off ", False), ("0", False),
     ("no", False), ("False", False), ("", True)],
)  # fmt: skip
def test_boolean_reads(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("FLAG", value)
    assert env.boolean("FLAG", default=True) is expected


def test_default_is_used_when_the_variable_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ABSENT", raising=False)
    assert env.boolean("ABSENT", default=False) is False
    assert env.integer("ABSENT", 7, low=0, high=9) == 7
    assert env.seconds("ABSENT", 0.3, low=0, high=9) == 0.3
    assert env.items("ABSENT", ["a"]) == ["a"]
    assert env.text("ABSENT", "x", choices=["x", "y"]) == "x"
    assert env.url("ABSENT", schemes=["redis"]) == ""


def test_well_formed_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N", " 0 ")
    assert env.integer("N", 7, low=0, high=9) == 0
    monkeypatch.setenv("N", "1.5")
    assert env.seconds("N", 7, low=0, high=9) == 1.5
    monkeypatch.setenv("N", "a, b ,c")
    assert env.items("N") == ["a", "b", "c"]
    monkeypatch.setenv("N", "redis://:p@h:1/0")
    assert env.url("N", schemes=["redis"]) == "redis://:p@h:1/0"


@pytest.mark.parametrize(
    ("read", "value", "sentence"),
    [
        (lambda: env.boolean("V", default=False), "maybe",
         "V is 'maybe', which is neither yes nor no: use on or off."),
        (lambda: env.integer("V", 1, low=1, high=9), "ten",
         "V is 'ten', not a whole number: use 1 to 9."),
        (lambda: env.integer("V", 1, low=1, high=9), "1.0",
         "V is '1.0', not a whole number: use 1 to 9."),
        (lambda: env.integer("V", 1, low=1, high=9), "10", "V is 10, out of range: use 1 to 9."),
        (lambda: env.seconds("V", 1, low=0.1, high=9), "nan",
         "V is 'nan': use a number of seconds, 0.1 to 9."),
        (lambda: env.seconds("V", 1, low=0.1, high=9), "soon",
         "V is 'soon': use a number of seconds, 0.1 to 9."),
        (lambda: env.text("V", choices=["a", "b"]), "c", "V is 'c': use one of a, b."),
        (lambda: env.items("V"), "a,,b",
         "V has an empty item: write a,b,c without a comma too many."),
        (lambda: env.url("V", schemes=["redis", "amqp"]), "http://secret@h",
         "V does not begin with redis:// or amqp://: write it as a URL."),
        (lambda: env.url("V", schemes=["redis"]), "redis://h:port",
         "V is not a URL: its host or port cannot be read."),
        (lambda: parse_database_url("postgresql://u:p@h", name="V"), "",
         "V names no database: write postgresql://user@host/database."),
    ],
)  # fmt: skip
def test_wrong_value_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, read: object, value: str, sentence: str
) -> None:
    monkeypatch.setenv("V", value)
    with pytest.raises(env.Refused) as refused:
        read()  # type: ignore[operator]  # the table's first column
    assert refused.value.sentences == [sentence]


def test_database_url_becomes_djangos_entry() -> None:
    assert parse_database_url("postgresql://us%40er:p%3Aw@db.example:5433/re%20mit?sslmode=x") == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "re mit",
        "USER": "us@er",
        "PASSWORD": "p:w",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "x"},
    }


def test_database_url_takes_a_sockets_folder() -> None:
    found = parse_database_url("postgresql://remit@/remit?host=%2Ftmp%2Fx")
    assert (found["HOST"], found["USER"], found["OPTIONS"]) == ("/tmp/x", "remit", {})


@pytest.mark.parametrize(
    ("value", "expected"), [("", [5, 6]), ("fri,SAT", [4, 5]), ("none", []), ("sun,sun", [6])]
)
def test_weekdays_are_read(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: list[int]
) -> None:
    monkeypatch.setenv("WEEKEND", value)
    assert env.weekdays("WEEKEND", ("sat", "sun")) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [("satur", "'satur': use mon, tue"), (",".join(env.DAYS), "leave one to work on")],
)
def test_weekdays_that_make_no_week_are_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, words: str
) -> None:
    monkeypatch.setenv("WEEKEND", value)
    with pytest.raises(env.Refused, match=words):
        env.weekdays("WEEKEND", ())


def test_a_pattern_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJECT_NAME_PATTERN", "[a-z]{2,}")
    assert env.pattern("PROJECT_NAME_PATTERN", "x") == "[a-z]{2,}"
    monkeypatch.setenv("PROJECT_NAME_PATTERN", "[a-z")
    with pytest.raises(env.Refused, match="PROJECT_NAME_PATTERN is no regular expression"):
        env.pattern("PROJECT_NAME_PATTERN", "x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", [80, 95]), ("none", []), ("100", [100]), ("90, 50,90", [50, 90])],
)
def test_shares_are_whole_per_cents_lowest_first(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: list[int]
) -> None:
    monkeypatch.setenv("USAGE_THRESHOLDS", value)
    assert env.percents("USAGE_THRESHOLDS", (80, 95)) == expected


@pytest.mark.parametrize("value", ["0", "101", "8.5", "much"])
def test_shares_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("USAGE_THRESHOLDS", value)
    with pytest.raises(env.Refused, match="USAGE_THRESHOLDS"):
        env.percents("USAGE_THRESHOLDS", (80, 95))
