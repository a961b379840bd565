"""`python -m contrib.scale.work STEP`: what workers do, in one process, until nothing is left."""

import argparse
import sys

import django

django.setup()

from django.db.models import Q  # noqa: E402 - models need the setup above
from django.db.models.functions import Now  # noqa: E402

from projects.models import Project  # noqa: E402
from quotas.delivery import leases  # noqa: E402
from quotas.delivery.converge import work  # noqa: E402
from quotas.delivery.observe import LOOKED_AT, observe  # noqa: E402
from quotas.delivery.surveys import plan_surveys, survey  # noqa: E402
from quotas.models import SurveyRun, Target  # noqa: E402
from quotas.states import TargetState  # noqa: E402

BATCH = 500


def deliver(most: int) -> int:
    """Have each target that is due made true, and all of so many projects; how many are not."""
    some = Project.objects.order_by("pk").values("pk")[:most]
    Target.objects.filter(~Q(state=TargetState.LEASED), project__in=some).update(
        state=TargetState.DUE, next_try_at=Now()
    )
    while due := leases.due_in_turn(BATCH):
        for target_id in due:
            lease = leases.take(target_id)
            if lease is not None:
                work(lease)
    return Target.objects.exclude(state=TargetState.APPLIED).count()


def survey_all() -> int:
    """Read all projects of each endpoint in one go; how many endpoints could not be."""
    plan_surveys()
    SurveyRun.objects.update(next_at=Now())
    for endpoint_id in list(SurveyRun.objects.order_by("pk").values_list("pk", flat=True)):
        survey(endpoint_id)
    for error in SurveyRun.objects.exclude(error_code="").values_list(
        "endpoint__slug", "error_words"
    ):
        print(*error, file=sys.stderr)
    return SurveyRun.objects.exclude(error_code="").count()


def look(most: int) -> int:
    """Read so many projects of a service by themselves, for what no reading of all tells."""
    rows = Target.objects.filter(endpoint__driver="nova", state__in=LOOKED_AT).order_by("pk")
    ids = list(rows.values_list("pk", flat=True)[:most])
    Target.objects.filter(pk__in=ids).update(looked_at=None)
    for target_id in ids:
        observe(target_id)
    return Target.objects.filter(pk__in=ids).exclude(look_error_code="").count()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m contrib.scale.work", description=__doc__)
    parser.add_argument("step", choices=["deliver", "survey", "look"])
    parser.add_argument("--most", type=int, default=500)
    options = parser.parse_args()
    if options.step == "deliver":
        left = deliver(options.most)
    elif options.step == "survey":
        left = survey_all()
    else:
        left = look(options.most)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
