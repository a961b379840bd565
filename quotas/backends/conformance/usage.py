"""What is used, of one project and of all at once."""

import pytest

from quotas.backends import BackendError, Figure, Kind, QuotaDriver, SurveyDriver
from quotas.backends.conformance.relay import Relay
from quotas.backends.conformance.subject import Below, Subject
from quotas.backends.conformance.suite import PATIENCE, Suite, refusal


class UsageConformance(Suite):
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
            assert refusal(error) == (Kind.REFUSED, "below_usage")
            assert not error.uncertain
            assert subject.limits(project) == before
        else:
            assert subject.below != Below.REFUSED
            assert subject.limits(project) == {**before, key: 1}
        assert driver.read(project, [key], timeout=PATIENCE)[key].used == 2


class SurveyConformance(Suite):
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
        driver.write(
            projects[0], {key: subject.amounts(driver, key)[0] for key in subject.keys},
            timeout=PATIENCE,
        )  # fmt: skip
        for project, count in zip(projects, (2, 1), strict=True):
            for key in subject.usable[:2]:
                subject.use(project, key, count)
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
