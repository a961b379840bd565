"""Every driver on the conformance suite: the sandbox, and real services of two releases."""

import pytest

from contrib.testing.clouds import Site
from quotas.backends.conformance import (
    FailureConformance,
    QuotaConformance,
    SurveyConformance,
    UsageConformance,
)
from quotas.backends.tests import capabilities, subjects
from quotas.backends.tests.subjects import CloudSubject


class OnClouds:
    """A subject of the class `of` in each region of both sites."""

    of: type[CloudSubject]

    @pytest.fixture(scope="class", params=[0, 1], ids=["xena", "2026.1"])
    @classmethod
    def subject(
        cls, request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory
    ) -> CloudSubject:
        return cls.of(site, request.param, tmp_path_factory.mktemp("subject"))


class TestNova(OnClouds, QuotaConformance, UsageConformance, FailureConformance):
    of = subjects.NovaSubject


class TestCinder(
    OnClouds, QuotaConformance, UsageConformance, SurveyConformance, FailureConformance
):
    of = subjects.CinderSubject


class TestNeutron(
    OnClouds, QuotaConformance, UsageConformance, SurveyConformance, FailureConformance
):
    of = subjects.NeutronSubject


class TestManila(
    OnClouds, QuotaConformance, UsageConformance, SurveyConformance, FailureConformance
):
    of = subjects.ManilaSubject


class TestShareTypes(OnClouds, QuotaConformance, UsageConformance, SurveyConformance):
    of = subjects.ShareTypeSubject


class TestOctavia(
    OnClouds, QuotaConformance, UsageConformance, SurveyConformance, FailureConformance
):
    of = subjects.OctaviaSubject


class TestKeystoneLimits(
    OnClouds, QuotaConformance, UsageConformance, SurveyConformance, FailureConformance
):
    of = capabilities.KeystoneLimitsSubject


class TestFlavorAccess(OnClouds, QuotaConformance, SurveyConformance, FailureConformance):
    of = capabilities.FlavorAccessSubject


class TestTypeAccess(OnClouds, QuotaConformance, SurveyConformance, FailureConformance):
    of = capabilities.TypeAccessSubject
