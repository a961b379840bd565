"""What every quota driver promises, as tests: for the drivers here and for those of others.

An author says how the service behind a driver is handled, by a `Subject`, and inherits:

    class TestMine(QuotaConformance, UsageConformance, FailureConformance):
        @pytest.fixture(scope="class")
        @classmethod
        def subject(cls) -> Subject: ...

`QuotaConformance` is for all, `UsageConformance` for drivers that tell what is used,
`SurveyConformance` for those with `survey`, `GapConformance` for those with `gaps`;
`FailureConformance` needs nothing more of the service. docs/write-a-driver.md builds a driver with
them. Needs pytest, and knows no Django.
"""

from quotas.backends.conformance.failures import FailureConformance
from quotas.backends.conformance.gaps import GapConformance
from quotas.backends.conformance.limits import QuotaConformance
from quotas.backends.conformance.subject import Below, Subject, Unknown
from quotas.backends.conformance.usage import SurveyConformance, UsageConformance

__all__ = [
    "Below",
    "FailureConformance",
    "GapConformance",
    "QuotaConformance",
    "Subject",
    "SurveyConformance",
    "Unknown",
    "UsageConformance",
]
