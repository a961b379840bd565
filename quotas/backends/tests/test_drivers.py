"""Every driver on the conformance suite: the sandbox, and real services of two releases."""

from collections.abc import Iterator

import pytest

from contrib.testing.cells import celled_nova
from contrib.testing.clouds import SandboxSite, Site
from quotas.backends.conformance import (
    FailureConformance,
    GapConformance,
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


class TestNova(OnClouds, QuotaConformance, UsageConformance, SurveyConformance):
    of = subjects.NovaSubject


class TestNovaCells(GapConformance):
    """A cell that does not answer: the sandbox's, and one of a real Nova with two."""

    @pytest.fixture(scope="class", params=[0, 1], ids=["xena", "2026.1"])
    @classmethod
    def subject(
        cls, request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[CloudSubject]:
        folder = tmp_path_factory.mktemp("subject")
        if isinstance(site, SandboxSite):
            yield subjects.NovaSubject(site, request.param, folder)
            return
        with celled_nova(folder, site.regions[request.param], site.cloud) as nova:
            yield subjects.CelledNovaSubject(site, request.param, folder, nova)


class TestCinder(OnClouds, QuotaConformance, UsageConformance, SurveyConformance):
    of = subjects.CinderSubject


class TestNeutron(OnClouds, QuotaConformance, UsageConformance, SurveyConformance):
    of = subjects.NeutronSubject


class TestManila(OnClouds, QuotaConformance, UsageConformance, SurveyConformance):
    of = subjects.ManilaSubject


class TestShareTypes(OnClouds, QuotaConformance, UsageConformance, SurveyConformance):
    of = subjects.ShareTypeSubject


class TestOctavia(OnClouds, QuotaConformance, UsageConformance, SurveyConformance):
    of = subjects.OctaviaSubject


class TestKeystoneLimits(OnClouds, QuotaConformance, UsageConformance, SurveyConformance):
    of = capabilities.KeystoneLimitsSubject


class TestFlavorAccess(OnClouds, QuotaConformance, SurveyConformance):
    of = capabilities.FlavorAccessSubject


class TestTypeAccess(OnClouds, QuotaConformance, SurveyConformance):
    of = capabilities.TypeAccessSubject


class TestFailures(FailureConformance):
    """What a driver makes of a service that fails is the same wherever that is."""

    @pytest.fixture(
        scope="class",
        params=[
            subjects.NovaSubject,
            subjects.CinderSubject,
            subjects.NeutronSubject,
            subjects.ManilaSubject,
            subjects.OctaviaSubject,
            capabilities.KeystoneLimitsSubject,
            capabilities.FlavorAccessSubject,
            capabilities.TypeAccessSubject,
        ],
        ids=lambda of: of.__name__.removesuffix("Subject"),
    )
    @classmethod
    def subject(
        cls,
        request: pytest.FixtureRequest,
        sandbox_site: SandboxSite,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> CloudSubject:
        made: CloudSubject = request.param(sandbox_site, 1, tmp_path_factory.mktemp("subject"))
        return made
