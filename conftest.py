"""Fixtures of every test: servers, databases and needs come from portal/testing/ and contrib/testing/."""

pytest_plugins = ["portal.testing.needs", "portal.testing.servers", "contrib.testing.clouds"]
