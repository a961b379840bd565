"""Of which endpoints all projects are read in one go, so that one by itself is read less often."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from quotas.models import SurveyRun

# What was read in one go so many rounds ago is news no longer.
SURVEY_ROUNDS = 3


def is_surveyed() -> Exists:
    """The condition on targets that all projects of their service were read in one go lately.

    Not of an identity service: its list dates each project that it shows, and what it lacks is
    looked at by itself.
    """
    lately = Now() - timedelta(seconds=SURVEY_ROUNDS * settings.OBSERVE_SECONDS)
    return Exists(
        SurveyRun.objects.filter(
            endpoint=OuterRef("endpoint"), endpoint__identity__isnull=False, ended_at__gt=lately
        )
    )
