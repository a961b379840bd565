"""Keys, limits and refusals: what every driver does."""

from typing import Any

import pytest

from quotas.backends import BackendError, Figure, KeySpec, Kind, QuotaDriver
from quotas.backends.conformance.relay import Relay, nobody
from quotas.backends.conformance.subject import Subject, Unknown
from quotas.backends.conformance.suite import PATIENCE, Suite, limits_read, refusal

HOSTILE = (
    "no_such_key", " ", "*", "../admin", "a/b?c=d&e=f#g", "clé", "ключ", "\u202eevil", "nul\x00",
    "%2e%2e%2f", "'; drop", "{}", "x" * 300,
)  # fmt: skip
"""Keys that no service has."""

NO_LIMITS: tuple[Any, ...] = (-1, -2, "12", 1.5, True, None)
"""What is no number of units: unlimited in all spellings, text, halves, truth."""

NO_IDS = ("", "..", "../admin", "a/b", "a?b=c", "a#b", "é", "a\x00b", "a b")
"""What no project is called in any service."""


class QuotaConformance(Suite):
    """Keys, limits and refusals."""

    def test_what_it_counts_is_well_formed(self, driver: QuotaDriver) -> None:
        specs = list(driver.specs())
        assert specs
        assert len({each.key for each in specs}) == len(specs)
        for each in specs:
            assert each.key
            assert each.key.count("*") <= 1
            assert each.unit in ("", "B")
            assert type(each.step) is int
            assert each.step >= 1
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
        found = driver.read(project, [*subject.keys, *subject.missing, *HOSTILE], timeout=PATIENCE)
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
        assert limits_read(driver, project, subject.keys) == some

        first = subject.keys[0]
        changed = {first: subject.amounts(driver, first)[1]}
        driver.write(project, changed, timeout=PATIENCE)
        assert subject.limits(project) == {**before, **some, **changed}
        assert limits_read(driver, project, subject.keys) == {**some, **changed}
        assert subject.limits(other) == of_other

    def test_to_write_the_same_again_is_no_error(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        wanted = {key: subject.amounts(driver, key)[0] for key in subject.keys}
        for _ in range(2):
            driver.write(project, wanted, timeout=PATIENCE)
            assert limits_read(driver, project, subject.keys) == wanted

    def test_zero_is_nothing_and_not_unlimited(
        self, driver: QuotaDriver, subject: Subject, project: str
    ) -> None:
        nothing = dict.fromkeys(subject.keys, 0)
        driver.write(project, nothing, timeout=PATIENCE)
        assert limits_read(driver, project, subject.keys) == nothing
        limits = subject.limits(project)
        assert {key: limits[key] for key in subject.keys} == nothing

    def test_the_most_is_taken_and_one_more_refused_without_a_call(
        self, driver: QuotaDriver, subject: Subject, project: str, relay: Relay
    ) -> None:
        specs = {key: driver.spec(key) for key in subject.keys}
        most = {key: spec.maximum for key, spec in specs.items() if spec and spec.maximum}
        driver.write(project, most, timeout=PATIENCE)
        assert limits_read(driver, project, list(most)) == most
        relay.forget()
        for key, value in most.items():
            with pytest.raises(BackendError) as excinfo:
                driver.write(project, {key: value + 1}, timeout=PATIENCE)
            assert refusal(excinfo.value) == (Kind.REFUSED, "above_maximum")
        assert relay.calls == []

    def test_what_is_no_number_of_units_is_never_sent(
        self, driver: QuotaDriver, subject: Subject, project: str, relay: Relay
    ) -> None:
        relay.forget()
        for value in NO_LIMITS:
            with pytest.raises(BackendError) as excinfo:
                driver.write(project, {subject.keys[0]: value}, timeout=PATIENCE)
            assert refusal(excinfo.value) == (Kind.REFUSED, "bad_request")
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
            assert refusal(excinfo.value) == (Kind.REFUSED, "unknown_key"), repr(key)
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
                assert refusal(excinfo.value) == (Kind.REFUSED, "bad_request"), repr(name)
        assert relay.calls == []

    def test_a_project_that_is_gone_is_refused_or_answered_as_the_service_does(
        self, driver: QuotaDriver, subject: Subject
    ) -> None:
        gone, key = subject.gone_project(), subject.keys[0]
        wanted = {key: subject.amounts(driver, key)[0]}
        if subject.unknown == Unknown.ANSWERED:
            driver.write(gone, wanted, timeout=PATIENCE)
            assert limits_read(driver, gone, [key]) == wanted
            return
        with pytest.raises(BackendError) as written:
            driver.write(gone, wanted, timeout=PATIENCE)
        assert refusal(written.value) == (Kind.REFUSED, "project_gone")
        assert not written.value.uncertain
        if subject.unknown == Unknown.READ:
            assert list(driver.read(gone, [key], timeout=PATIENCE)) == [key]
            return
        with pytest.raises(BackendError) as read:
            driver.read(gone, [key], timeout=PATIENCE)
        assert refusal(read.value) == (Kind.REFUSED, "project_gone")
