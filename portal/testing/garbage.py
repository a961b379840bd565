"""pytest plugin: the collector of garbage leaves what every test needs alone.

Django, its models and its routes are some hundred thousand objects that live as long as the run;
looked through again and again they are a sixth of the time of a test of rows and pages.
"""

import gc

import pytest

# New objects between two looks at them; looks at the young between two at the older, and at all.
THRESHOLDS = (20_000, 50, 100)


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
