"""What every quota driver promises, as tests: for the drivers here and for those of others.

An author says how the service behind a driver is handled, by a `Subject`, and inherits:

    class TestMine(QuotaConformance, UsageConformance, FailureConformance):
        @pytest.fixture(scope="class")
        def subject(self) -> Subject: ...

`QuotaConformance` is for all, `UsageConformance` for drivers that tell what is used,
`SurveyConformance` for those with `survey`; `FailureConformance` needs nothing more of the
service. docs/write-a-driver.md builds a driver with them. Needs pytest and knows no Django.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import pytest

from quotas.backends import BackendError, Figure, KeySpec, Kind, QuotaDriver, SurveyDriver
from quotas.backends.relay import (
    Relay,
    Reply,
    Trouble,
    another_service,
    failure,
    nobody,
    web_page,
)

PATIENCE = 60.0
"""Seconds for a call that is to succeed: the first one after a start may take long."""

HURRY = 0.5
"""Seconds for a call that is to run out of time."""

SLACK = 3.0
"""Seconds that a busy machine may add to the end of a call."""

HOSTILE = (
    "no_such_key", " ", "*", "../admin", "a/b?c=d&e=f#g", "clé", "ключ", "\u202eevil", "nul\x00",
    "%2e%2e%2f", "'; drop", "{}", "x" * 300,
)  # fmt: skip
"""Keys that no service has."""

NO_LIMITS: tuple[Any, ...] = (-1, -2, "12", 1.5, True, None)
"""What is no number of units: unlimited in all spellings, text, halves, truth."""

NO_IDS = ("", "..", "../admin", "a/b", "a?b=c", "a#b", "é", "a\x00b", "a b")
"""What no project is called in any service."""


class Below(StrEnum):
    """What the service does with a limit below what is used."""

    REFUSED = "refused"
    TAKEN = "taken"
    EITHER = "either"


class Unknown(StrEnum):
    """What the service does about a project that does not exist."""

    REFUSED = "refused"
    ANSWERED = "answered"


class Subject(ABC):
    """A driver and the service behind it, as the suite handles them.

    address: scheme, host and port of the service, where the suite puts its relay before it.
    keys: keys that every new project has, which may be set to any number on their own; two at
    least, where the service has as many. missing: keys of the driver's families, or others it
    has a spec for, that the service lacks. usable: keys of which `use` can make usage.
    below, unknown: what the service does.
    """

    address: str
    keys: Sequence[str]
    missing: Sequence[str] = ()
    usable: Sequence[str] = ()
    below: Below = Below.REFUSED
    unknown: Unknown = Unknown.REFUSED

    @abstractmethod
    def driver(self, address: str) -> QuotaDriver:
        """The driver, made for the service at another address (scheme, host and port)."""

    @abstractmethod
    def new_project(self) -> str:
        """The id of a project that was never used."""

    @abstractmethod
    def gone_project(self) -> str:
        """The id of a project that no longer exists."""

    @abstractmethod
    def limits(self, project_id: str) -> Mapping[str, int]:
        """All limits that the service has for a project, {key: the service's own units}: asked
        without the driver."""

    def use(self, project_id: str, key: str, count: int) -> None:
        """See to it that the project uses exactly so much of one of the `usable` keys."""
        raise NotImplementedError

    def amounts(self, driver: QuotaDriver, key: str) -> tuple[int, int]:
        """Two limits of a key that differ, neither of them what a new project has."""
        spec = driver.spec(key)
        return (1, 0) if spec is not None and spec.maximum == 1 else (7, 11)


def _refusal(error: BackendError) -> tuple[Kind, str]:
    return error.kind, error.code


def _limits_read(driver: QuotaDriver, project: str, keys: Sequence[str]) -> dict[str, int | None]:
    found = driver.read(project, keys, timeout=PATIENCE)
    return {key: figure.limit for key, figure in found.items()}


def _written_once(relay: Relay) -> bool:
    """Whether no call was sent a second time."""
    seen = [(call.method, call.path, call.body) for call in relay.calls]
    return len(seen) == len(set(seen))


class _Suite:
    """What the classes below share."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Subject:
        raise NotImplementedError("a fixture called subject says what is tested")

    @pytest.fixture(scope="class")
    @classmethod
    def relay(cls, subject: Subject) -> Iterator[Relay]:
        with Relay(subject.address) as relay:
            yield relay

    @pytest.fixture(scope="class")
    @classmethod
    def driver(cls, subject: Subject, relay: Relay) -> QuotaDriver:
        return subject.driver(relay.address)

    @pytest.fixture
    def project(self, subject: Subject) -> str:
        return subject.new_project()


class QuotaConformance(_Suite):
    """Keys, limits and refusals."""

    def test_what_it_counts_is_well_formed(self, driver: QuotaDriver) -> None:
        specs = list(driver.specs())
        assert specs
        assert len({each.key for each in specs}) == len(specs)
        for each in specs:
            assert each.key
            assert each.key.count("*") <= 1
            assert each.unit in ("", "B")
            assert type(each.step) is int and each.step >= 1
            assert each.maximum is None or (type(each.maximum) is int and each.maximum >= 1)

    def test_a_spec_is_found_by_its_key_and_a_family_by_its_members(
        self, driver: QuotaDriver, subject: Subject
    ) -> None:
        for each in driver.specs():
            if "*" in each.key:
                assert driver.spec(each.key) is None
                member = each.key.replace("*", "some-one")
                found = driver.spec(member)
                assert found is not None
                assert found == KeySpec(member, found.unit, found.step, found.maximum)
            else:
                assert driver.spec(each.key) == each
        assert driver.spec("") is None
        assert all(driver.spec(key) is not None for key in (*subject.keys, *subject.missing))

    def test_it_is_made_where_no_service_is(self, subject: Subject) -> None:
        with nobody() as address:
            assert list(subject.driver(address).specs())

    def test_read_answers_what_was_asked_for_and_leaves_out_what_is_not_there(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        before = subject.limits(project)
        found = driver.read(
            project, [*subject.keys, *subject.missing, *HOSTILE], timeout=PATIENCE
        )
        assert sorted(found) == sorted(subject.keys)
        for key, figure in found.items():
            assert isinstance(figure, Figure)
            assert figure.limit == before[key]
            assert all(
                each is None or type(each) is int
                for each in (figure.limit, figure.used, figure.reserved)
            )
        # Looking changes nothing.
        assert driver.read(project, subject.keys, timeout=PATIENCE) == found
        assert subject.limits(project) == before

    def test_read_without_keys_tells_all_that_it_counts(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        found = driver.read(project, timeout=PATIENCE)
        assert set(subject.keys) <= set(found)
        assert all(driver.spec(key) is not None for key in found)

    def test_what_was_written_is_read_back_and_nothing_else_changes(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        other = subject.new_project()
        before, of_other = subject.limits(project), subject.limits(other)
        some = {key: subject.amounts(driver, key)[0] for key in subject.keys}

        driver.write(project, some, timeout=PATIENCE)
        assert subject.limits(project) == {**before, **some}
        assert _limits_read(driver, project, subject.keys) == some

        first = subject.keys[0]
        changed = {first: subject.amounts(driver, first)[1]}
        driver.write(project, changed, timeout=PATIENCE)
        assert subject.limits(project) == {**before, **some, **changed}
        assert _limits_read(driver, project, subject.keys) == {**some, **changed}
        assert subject.limits(other) == of_other

    def test_to_write_the_same_again_is_no_error(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        wanted = {key: subject.amounts(driver, key)[0] for key in subject.keys}
        for _ in range(2):
            driver.write(project, wanted, timeout=PATIENCE)
            assert _limits_read(driver, project, subject.keys) == wanted

    def test_zero_is_nothing_and_not_unlimited(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        nothing = dict.fromkeys(subject.keys, 0)
        driver.write(project, nothing, timeout=PATIENCE)
        assert _limits_read(driver, project, subject.keys) == nothing
        limits = subject.limits(project)
        assert {key: limits[key] for key in subject.keys} == nothing

    def test_the_most_is_taken_and_one_more_refused_without_a_call(
        self, driver: QuotaDriver, subject: Subject, project: str, relay: Relay
    ) -> None:
        specs = {key: driver.spec(key) for key in subject.keys}
        most = {key: spec.maximum for key, spec in specs.items() if spec and spec.maximum}
        driver.write(project, most, timeout=PATIENCE)
        assert _limits_read(driver, project, list(most)) == most
        relay.forget()
        for key, value in most.items():
            with pytest.raises(BackendError) as excinfo:
                driver.write(project, {key: value + 1}, timeout=PATIENCE)
            assert _refusal(excinfo.value) == (Kind.REFUSED, "above_maximum")
        assert relay.calls == []

    def test_what_is_no_number_of_units_is_never_sent(
        self, driver: QuotaDriver, subject: Subject, project: str, relay: Relay
    ) -> None:
        relay.forget()
        for value in NO_LIMITS:
            with pytest.raises(BackendError) as excinfo:
                driver.write(project, {subject.keys[0]: value}, timeout=PATIENCE)
            assert _refusal(excinfo.value) == (Kind.REFUSED, "bad_request")
        assert relay.calls == []

    def test_a_key_that_is_not_there_is_refused_and_nothing_beside_it_is_written(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        before = subject.limits(project)
        first = subject.keys[0]
        wanted = {first: subject.amounts(driver, first)[0]}
        families = [each.key for each in driver.specs() if "*" in each.key]
        members = [family.replace("*", name) for family in families[:1] for name in HOSTILE]
        for key in (*HOSTILE, *subject.missing, *members):
            with pytest.raises(BackendError) as excinfo:
                driver.write(project, {**wanted, key: 1}, timeout=PATIENCE)
            assert _refusal(excinfo.value) == (Kind.REFUSED, "unknown_key"), repr(key)
            assert not excinfo.value.uncertain
        assert subject.limits(project) == before

    def test_to_write_nothing_is_no_call(
        self, driver: QuotaDriver, project: str, relay: Relay
    ) -> None:
        relay.forget()
        driver.write(project, {}, timeout=PATIENCE)
        assert relay.calls == []

    def test_what_is_no_project_is_refused_without_a_call(
        self, driver: QuotaDriver, subject: Subject, relay: Relay
    ) -> None:
        relay.forget()
        for name in NO_IDS:
            for call in (
                lambda name=name: driver.read(name, subject.keys, timeout=PATIENCE),
                lambda name=name: driver.write(name, {subject.keys[0]: 1}, timeout=PATIENCE),
            ):
                with pytest.raises(BackendError) as excinfo:
                    call()
                assert _refusal(excinfo.value) == (Kind.REFUSED, "bad_request"), repr(name)
        assert relay.calls == []

    def test_a_project_that_is_gone_is_refused_or_answered_as_the_service_does(
        self, driver: QuotaDriver, subject: Subject
    ) -> None:
        gone, key = subject.gone_project(), subject.keys[0]
        wanted = {key: subject.amounts(driver, key)[0]}
        if subject.unknown == Unknown.ANSWERED:
            driver.write(gone, wanted, timeout=PATIENCE)
            assert _limits_read(driver, gone, [key]) == wanted
            return
        with pytest.raises(BackendError) as written:
            driver.write(gone, wanted, timeout=PATIENCE)
        with pytest.raises(BackendError) as read:
            driver.read(gone, [key], timeout=PATIENCE)
        assert _refusal(written.value) == _refusal(read.value) == (Kind.REFUSED, "project_gone")
        assert not written.value.uncertain


class UsageConformance(_Suite):
    """For drivers that tell what is used."""

    def test_use_is_told_as_it_rises_and_falls(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        for key in subject.usable:
            for count in (2, 1):
                subject.use(project, key, count)
                assert driver.read(project, [key], timeout=PATIENCE)[key].floor == count, key

    def test_a_limit_below_use_is_refused_or_taken_as_the_service_does(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        key = subject.usable[0]
        subject.use(project, key, 2)
        before = subject.limits(project)
        try:
            driver.write(project, {key: 1}, timeout=PATIENCE)
        except BackendError as error:
            assert subject.below != Below.TAKEN
            assert _refusal(error) == (Kind.REFUSED, "below_usage")
            assert not error.uncertain
            assert subject.limits(project) == before
        else:
            assert subject.below != Below.REFUSED
            assert subject.limits(project) == {**before, key: 1}
        assert driver.read(project, [key], timeout=PATIENCE)[key].used == 2


class SurveyConformance(_Suite):
    """For drivers with `survey`."""

    @pytest.fixture(scope="class")
    @classmethod
    def driver(cls, subject: Subject, relay: Relay) -> SurveyDriver:
        found = subject.driver(relay.address)
        assert callable(getattr(found, "survey", None))
        return found  # type: ignore[return-value]  # looked at right above

    def test_a_survey_says_of_each_project_what_reading_it_says(
        self, driver: SurveyDriver, subject: Subject
    ) -> None:
        projects = [subject.new_project() for _ in range(2)]
        for project, count in zip(projects, (2, 1), strict=True):
            for key in subject.usable[:2]:
                subject.use(project, key, count)
        driver.write(
            projects[0], {key: subject.amounts(driver, key)[0] for key in subject.keys},
            timeout=PATIENCE,
        )  # fmt: skip
        found = driver.survey(timeout=PATIENCE)
        assert found.gaps == ()
        assert found.counted or found.bounded
        for project in projects:
            one = driver.read(project, timeout=PATIENCE)
            surveyed = found.figures.get(project, {})
            for key in found.counted & set(one):
                figure = surveyed.get(key, Figure(None, 0))
                assert figure.floor == one[key].floor, key
            for key in found.bounded & set(surveyed):
                assert surveyed[key].limit in (None, one[key].limit), key
        written = found.figures.get(projects[0], {})
        assert found.bounded & set(subject.keys) <= {
            key for key, figure in written.items() if figure.limit is not None
        }

    def test_a_survey_costs_the_same_for_more_projects(
        self, driver: SurveyDriver, subject: Subject, relay: Relay
    ) -> None:
        relay.forget()
        driver.survey(subject.keys, timeout=PATIENCE)
        few = len(relay.calls)
        for _ in range(3):
            project = subject.new_project()
            driver.write(
                project, {key: subject.amounts(driver, key)[0] for key in subject.keys},
                timeout=PATIENCE,
            )  # fmt: skip
            for key in subject.usable[:1]:
                subject.use(project, key, 1)
        relay.forget()
        driver.survey(subject.keys, timeout=PATIENCE)
        assert len(relay.calls) == few
        assert relay.writes() == []


def _named(value: object) -> str | None:
    if isinstance(value, Trouble):
        return value.name.lower()
    return f"{value.status}-{value.headers['Content-Type']}" if isinstance(value, Reply) else None


TROUBLES: list[tuple[Trouble | Reply, tuple[Kind, str], bool]] = [
    # What happens, what it is sorted into, and whether a write may have been done.
    (Trouble.SILENT, (Kind.UNREACHABLE, "timeout"), True),
    (Trouble.SILENT_AFTER, (Kind.UNREACHABLE, "timeout"), True),
    (Trouble.DROPPED, (Kind.UNREACHABLE, "dropped"), True),
    (Trouble.DROPPED_AFTER, (Kind.UNREACHABLE, "dropped"), True),
    (failure(503, retry_after=7), (Kind.TRANSIENT, "unavailable"), True),
    (failure(500), (Kind.TRANSIENT, "server_error"), True),
    (failure(429, retry_after=7), (Kind.TRANSIENT, "rate_limited"), False),
    (web_page(), (Kind.TRANSIENT, "broken_answer"), True),
    (another_service(), (Kind.TRANSIENT, "broken_answer"), True),
]


class FailureConformance(_Suite):
    """What a driver makes of a service that fails: sorted, on time, sent once."""

    def test_nobody_there_is_unreachable_and_nothing_was_done(self, subject: Subject) -> None:
        project = subject.new_project()
        with nobody() as address:
            driver = subject.driver(address)
            with pytest.raises(BackendError) as read:
                driver.read(project, subject.keys, timeout=PATIENCE)
            with pytest.raises(BackendError) as written:
                driver.write(project, {subject.keys[0]: 1}, timeout=PATIENCE)
        assert _refusal(read.value) == (Kind.UNREACHABLE, "no_connection")
        assert _refusal(written.value) == (Kind.UNREACHABLE, "no_connection")
        assert not written.value.uncertain

    @pytest.mark.parametrize(("what", "sorted_as", "is_uncertain"), TROUBLES, ids=_named)
    def test_a_call_that_fails_is_sorted_in_time_and_sent_once(
        self,
        driver: QuotaDriver,
        subject: Subject,
        project: str,
        relay: Relay,
        what: Trouble | Reply,
        sorted_as: tuple[Kind, str],
        is_uncertain: bool,
    ) -> None:
        key = subject.keys[0]
        # Signed in, and versions asked for: what follows is the call itself.
        driver.read(project, [key], timeout=PATIENCE)
        timeout = HURRY if sorted_as[1] == "timeout" else PATIENCE
        wanted = {key: subject.amounts(driver, key)[0]}
        for is_write in (False, True):
            relay.forget()
            began = time.monotonic()
            with relay.trouble(what, writes=is_write), pytest.raises(BackendError) as excinfo:
                if is_write:
                    driver.write(project, wanted, timeout=timeout)
                else:
                    driver.read(project, [key], timeout=timeout)
            if timeout == HURRY:
                assert time.monotonic() - began < HURRY + SLACK
            assert _refusal(excinfo.value) == sorted_as
            assert excinfo.value.uncertain is (is_write and is_uncertain)
            assert _written_once(relay)
            if isinstance(what, Reply) and "Retry-After" in what.headers:
                assert excinfo.value.retry_after == 7
            assert len([call for call in relay.calls if call.is_write]) == int(is_write)
        # Whatever it was, the next call is as good as any.
        driver.write(project, wanted, timeout=PATIENCE)
        assert _limits_read(driver, project, [key]) == wanted
