"""Drivers that break a promise do not pass the suite: each is caught by the test that is about it.

Each is the driver of docs/write-a-driver.md with one fault. That one itself passes.
"""

import importlib
import inspect
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quotas.backends import BackendError, Figure, Kind, Survey
from quotas.backends.conformance import (
    FailureConformance,
    GapConformance,
    QuotaConformance,
    SurveyConformance,
    UsageConformance,
    failures,
)
from quotas.backends.conformance.relay import Relay, Trouble, failure
from quotas.backends.tests.test_third_party import files_of_the_page

# Of modules that are made from a page: nothing is known of their types.
Tapes = Any


class WholeSuite(
    QuotaConformance, UsageConformance, SurveyConformance, GapConformance, FailureConformance
):
    """Every test, called by its name; pytest collects none of them here."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder where the page's driver and its test can be imported."""
    folder = tmp_path_factory.mktemp("page")
    for name, content in files_of_the_page().items():
        (folder / name).write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder
    for name in ("archive", "remit_tapes", "test_tapes"):
        sys.modules.pop(name, None)


def run(page: Path, fault: "Fault | None", test: str, **more: Any) -> None:
    """One test of the suite, on a driver with this fault."""
    sound = importlib.import_module("remit_tapes").TapesDriver
    made_of = sound if fault is None else fault(sound)
    archive = importlib.import_module("archive").Archive()
    base: Any = importlib.import_module("test_tapes").TapesSubject

    class TapesSubject(base):  # type: ignore[misc]  # as said above
        def driver(self, address: str) -> Tapes:
            return made_of(super().driver(address)._config)

        def short_of_a_part(self) -> AbstractContextManager[None]:
            for row in archive.projects.values():
                row["used"] = {key: used // 2 for key, used in row["used"].items()}
            return nullcontext()

    subject = TapesSubject(archive, page / uuid.uuid4().hex)
    subject.folder.mkdir()
    method = getattr(WholeSuite(), test)
    with archive, Relay(subject.address) as relay:
        try:
            driver = subject.driver(relay.address)
            have = {
                "driver": driver, "subject": subject, "relay": relay,
                "project": subject.new_project(), **more,
            }  # fmt: skip
            method(**{name: have[name] for name in inspect.signature(method).parameters})
        finally:
            archive.shutdown()


# --- the faults ---------------------------------------------------------------------------


def retries(tapes: Tapes) -> Tapes:
    class Driver(tapes):  # type: ignore[misc]  # as said above
        def write(self, *arguments: Any, timeout: float) -> None:
            try:
                super().write(*arguments, timeout=timeout)
            except BackendError:
                super().write(*arguments, timeout=timeout)

    return Driver


def looks_once_more(tapes: Tapes) -> Tapes:
    """After its time it reads whether it was done."""

    class Driver(tapes):  # type: ignore[misc]  # as said above
        def write(self, project_id: str, values: Any, *, timeout: float) -> None:
            try:
                super().write(project_id, values, timeout=timeout)
            except BackendError:
                self.read(project_id, timeout=timeout)
                raise

    return Driver


def takes_longer(tapes: Tapes) -> Tapes:
    class Driver(tapes):  # type: ignore[misc]  # as said above
        def read(self, *arguments: Any, timeout: float) -> Any:
            return super().read(*arguments, timeout=timeout + 1)

    return Driver


def says_yes_and_does_nothing(tapes: Tapes) -> Tapes:
    class Driver(tapes):  # type: ignore[misc]  # as said above
        def write(self, project_id: str, values: Any, *, timeout: float) -> None:
            self.check(values)

    return Driver


def writes(change: Callable[[Tapes, str, dict[str, int]], dict[str, int]]) -> "Fault":
    """A driver that writes what `change` makes of (itself, project, values)."""

    def fault(tapes: Tapes) -> Tapes:
        class Driver(tapes):  # type: ignore[misc]  # as said above
            def write(self, project_id: str, values: Any, *, timeout: float) -> None:
                super().write(project_id, change(self, project_id, values), timeout=timeout)

        return Driver

    return fault


def writes_one_by_one(tapes: Tapes) -> Tapes:
    class Driver(tapes):  # type: ignore[misc]  # as said above
        def write(self, project_id: str, values: Any, *, timeout: float) -> None:
            for key, value in values.items():
                super().write(project_id, {key: value}, timeout=timeout)

    return Driver


def checks_nothing(tapes: Tapes) -> Tapes:
    class Driver(tapes):  # type: ignore[misc]  # as said above
        @classmethod
        def check(cls, values: Any) -> None:
            pass

    return Driver


def reads(change: Callable[[dict[str, Figure], Any], dict[str, Figure]]) -> "Fault":
    """A driver that says what `change` makes of (what was read, the keys that were asked for)."""

    def fault(tapes: Tapes) -> Tapes:
        class Driver(tapes):  # type: ignore[misc]  # as said above
            def read(self, project_id: str, keys: Any = None, *, timeout: float) -> Any:
                found = super().read(project_id, keys, timeout=timeout)
                return change(found, found if keys is None else keys)

        return Driver

    return fault


def raises(change: Callable[[BackendError], Exception]) -> "Fault":
    """A driver that raises what `change` makes of an error."""

    def fault(tapes: Tapes) -> Tapes:
        class Driver(tapes):  # type: ignore[misc]  # as said above
            def read(self, *arguments: Any, timeout: float) -> Any:
                try:
                    return super().read(*arguments, timeout=timeout)
                except BackendError as error:
                    raise change(error) from None

            def write(self, *arguments: Any, timeout: float) -> None:
                try:
                    super().write(*arguments, timeout=timeout)
                except BackendError as error:
                    raise change(error) from None

        return Driver

    return fault


def certain(error: BackendError) -> BackendError:
    error.uncertain = False
    return error


def knows_everybody(tapes: Tapes) -> Tapes:
    """A project that does not exist has nothing, it says."""

    class Driver(tapes):  # type: ignore[misc]  # as said above
        def read(self, project_id: str, keys: Any = None, *, timeout: float) -> Any:
            try:
                return super().read(project_id, keys, timeout=timeout)
            except BackendError as error:
                if error.code != "project_gone":
                    raise
                return dict.fromkeys(keys, Figure(0, 0))

    return Driver


def asks_where_it_is_made(tapes: Tapes) -> Tapes:
    class Driver(tapes):  # type: ignore[misc]  # as said above
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.read("0" * 32, timeout=5)

    return Driver


def surveys(*, reads_each: bool) -> "Fault":
    """A driver that asks for each project that it wrote to, or one that counts nobody's use."""

    def fault(tapes: Tapes) -> Tapes:
        class Driver(tapes):  # type: ignore[misc]  # as said above
            def __init__(self, config: Any) -> None:
                super().__init__(config)
                self.known: Counter[str] = Counter()

            def write(self, project_id: str, values: Any, *, timeout: float) -> None:
                super().write(project_id, values, timeout=timeout)
                self.known[project_id] += 1

            def survey(self, keys: Any = None, *, timeout: float) -> Survey:
                known = self.known if reads_each else ()
                found = {each: self.read(each, keys, timeout=timeout) for each in known}
                return Survey(found, frozenset({"cartridges"}), frozenset())

        return Driver

    return fault


def sees_no_gap(tapes: Tapes) -> Tapes:
    class Driver(tapes):  # type: ignore[misc]  # as said above
        def gaps(self, *, timeout: float) -> tuple[str, ...]:
            return ()

    return Driver


Fault = Callable[[Tapes], Tapes]

FAILS = "test_a_call_that_fails_is_sorted_in_time_and_sent_once"
SILENT = {
    "what": Trouble.SILENT, "sorted_as": (Kind.UNREACHABLE, "timeout"), "is_uncertain": True,
}  # fmt: skip
DROPPED = {
    "what": Trouble.DROPPED, "sorted_as": (Kind.UNREACHABLE, "dropped"), "is_uncertain": True,
}  # fmt: skip
DOWN = {
    "what": failure(503), "sorted_as": (Kind.TRANSIENT, "unavailable"), "is_uncertain": True,
}  # fmt: skip
READ_BACK = "test_what_was_written_is_read_back_and_nothing_else_changes"

CAUGHT: dict[str, tuple[Fault, str, dict[str, Any]]] = {
    "retries": (retries, FAILS, DOWN),
    "goes on after its time": (looks_once_more, FAILS, SILENT),
    "takes longer than it may": (takes_longer, FAILS, SILENT),
    "says yes and does nothing": (says_yes_and_does_nothing, READ_BACK, {}),
    "writes other keys": (
        writes(lambda driver, project, values: {"space": 0, **values}), READ_BACK, {},
    ),
    "writes zero as unlimited": (
        writes(lambda driver, project, values: {k: v or 10_000 for k, v in values.items()}),
        "test_zero_is_nothing_and_not_unlimited", {},
    ),
    "decides for itself": (
        writes(lambda driver, project, values: {
            key: max(value, driver.read(project, timeout=5)[key].used or 0)
            for key, value in values.items()
        }),
        "test_a_limit_below_use_is_refused_or_taken_as_the_service_does", {},
    ),
    "leaves things half written": (
        writes_one_by_one,
        "test_a_key_that_is_not_there_is_refused_and_nothing_beside_it_is_written", {},
    ),
    "sends more than the most": (
        checks_nothing, "test_the_most_is_taken_and_one_more_refused_without_a_call", {},
    ),
    "sends what is no number": (
        checks_nothing, "test_what_is_no_number_of_units_is_never_sent", {},
    ),
    "invents keys": (
        reads(lambda found, keys: {**dict.fromkeys(keys, Figure(0, 0)), **found}),
        "test_read_answers_what_was_asked_for_and_leaves_out_what_is_not_there", {},
    ),
    "takes what it does not know for zero": (
        reads(lambda found, keys: {key: replace(each, used=0) for key, each in found.items()}),
        "test_use_is_told_as_it_rises_and_falls", {},
    ),
    "raises what its library raises": (
        raises(lambda error: ConnectionError(str(error))),
        "test_nobody_there_is_unreachable_and_nothing_was_done", {},
    ),
    "is certain where nobody can be": (raises(certain), FAILS, DROPPED),
    "knows projects that are gone": (
        knows_everybody,
        "test_a_project_that_is_gone_is_refused_or_answered_as_the_service_does", {},
    ),
    "asks where it is made": (
        asks_where_it_is_made, "test_it_is_made_where_no_service_is", {},
    ),
    "asks for each project": (
        surveys(reads_each=True), "test_a_survey_costs_the_same_for_more_projects", {},
    ),
    "counts nobody's use": (
        surveys(reads_each=False),
        "test_a_survey_says_of_each_project_what_reading_it_says", {},
    ),
    "sees no gap": (sees_no_gap, "test_what_is_left_out_is_told_while_it_is", {}),
}  # fmt: skip
# The page's driver has neither survey nor gaps.
OF_THE_PAGE = [
    (test, more)
    for _, test, more in CAUGHT.values()
    if "survey" not in test and "left_out" not in test
]


@pytest.mark.parametrize("name", CAUGHT)
def test_a_driver_that_breaks_a_promise_is_caught(
    page: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, test, more = CAUGHT[name]
    # What a busy machine may add is no matter where a test is to fail.
    monkeypatch.setattr(failures, "SLACK", 0.5)
    # What fails in the suite: a check, something that should have been raised, or something that
    # should not.
    with pytest.raises((AssertionError, pytest.fail.Exception, ConnectionError, BackendError)):
        run(page, fault, test, **more)


def test_the_one_without_a_fault_passes(page: Path) -> None:
    for test, more in OF_THE_PAGE:
        run(page, None, test, **more)
