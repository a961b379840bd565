"""What is said of a service that answers for a part of itself only."""

import pytest

from quotas.backends import Figure, GapDriver
from quotas.backends.conformance.relay import Relay
from quotas.backends.conformance.subject import Subject
from quotas.backends.conformance.suite import PATIENCE, Suite


class GapConformance(Suite):
    """For drivers with `gaps`."""

    @pytest.fixture(scope="class")
    @classmethod
    def driver(cls, subject: Subject, relay: Relay) -> GapDriver:
        found = subject.driver(relay.address)
        assert callable(getattr(found, "gaps", None))
        return found  # type: ignore[return-value]  # looked at right above

    def test_what_is_left_out_is_told_while_it_is(
        self, driver: GapDriver, subject: Subject, project: str, relay: Relay
    ) -> None:
        key = subject.usable[0]
        subject.use(project, key, 2)
        assert driver.gaps(timeout=PATIENCE) == ()
        assert driver.read(project, [key], timeout=PATIENCE)[key].floor == 2

        with subject.short_of_a_part():
            relay.forget()
            found = driver.gaps(timeout=PATIENCE)
            assert relay.writes() == []
            assert found
            assert all(words.strip() for words in found)
            # Why it must be asked: what is read says nothing of it.
            short = driver.read(project, [key], timeout=PATIENCE)[key]
            assert short.floor is not None
            assert short.floor < 2
            survey = getattr(driver, "survey", None)
            if survey is not None:
                surveyed = survey([key], timeout=PATIENCE)
                assert surveyed.gaps == found
                assert surveyed.figures.get(project, {}).get(key, Figure(None, 0)).floor == (
                    short.floor
                )

        assert driver.gaps(timeout=PATIENCE) == ()
        assert driver.read(project, [key], timeout=PATIENCE)[key].floor == 2
