"""Fixtures of every test: see portal/testing/ and contrib/testing/."""

pytest_plugins = [
    "portal.testing.garbage",
    "portal.testing.language",
    "portal.testing.needs",
    "portal.testing.spread",
    "portal.testing.figures",
    "portal.testing.servers",
    "portal.testing.browser",
    "contrib.testing.clouds",
    "contrib.testing.ceph",
    "contrib.testing.provider",
]
