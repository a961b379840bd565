"""One call or more of every URL of the site, by its name: what test_access drives as each role."""

from quotas.tests.access.announcements import ANNOUNCEMENTS
from quotas.tests.access.api import API
from quotas.tests.access.leaving import LEAVING
from quotas.tests.access.lives import LIVES
from quotas.tests.access.pages import PAGES
from quotas.tests.access.sending import Sample
from quotas.tests.access.unused import UNUSED

SAMPLES: dict[str, list[Sample]] = {**PAGES, **API, **LIVES, **LEAVING, **ANNOUNCEMENTS, **UNUSED}
