"""Addresses of the API, below api/v1/."""

from django.urls import URLPattern, URLResolver, path
from drf_spectacular.views import SpectacularAPIView

from portal.lib.access import shows

# The scheme registers itself by being imported.
from . import (  # noqa: F401
    catalogue,
    drift,
    events,
    jobs,
    notices,
    operations,
    people,
    plan,
    problems,
    project_adoption,
    projects,
    queue,
    requests,
    sessions,
    units,
    verbs,
)

schema = shows("public")(
    SpectacularAPIView.as_view(permission_classes=[], authentication_classes=[])
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", schema, name="api_schema"),
    path("me/", people.me, name="api_me"),
    path("regions/", catalogue.region_list, name="api_regions"),
    path("regions/<slug:slug>/", catalogue.region_detail, name="api_region"),
    path("zones/", catalogue.zone_list, name="api_zones"),
    path("zones/<str:zone_id>/", catalogue.zone_detail, name="api_zone"),
    path("resources/", catalogue.resource_list, name="api_resources"),
    path("resources/<slug:slug>/", catalogue.resource_detail, name="api_resource"),
    path("offerings/", catalogue.offering_list, name="api_offerings"),
    path("offerings/<str:slug>/", catalogue.offering_detail, name="api_offering"),
    path("presets/", catalogue.preset_list, name="api_presets"),
    path("presets/<slug:slug>/", catalogue.preset_detail, name="api_preset"),
    path("units/", people.unit_list, name="api_units"),
    path("units/<slug:slug>/", people.unit_detail, name="api_unit"),
    path("units/<slug:slug>/envelopes/", units.envelope_list, name="api_envelopes"),
    path(
        "units/<slug:slug>/envelopes/change/", units.envelopes_change, name="api_envelopes_change"
    ),
    path(
        "units/<slug:slug>/envelopes/preview/",
        units.envelopes_preview,
        name="api_envelopes_preview",
    ),
    path("units/<slug:slug>/envelopes/<str:offering>/", units.envelope_detail, name="api_envelope"),
    path("units/<slug:slug>/acts/", units.act_list, name="api_envelope_acts"),
    path("units/<slug:slug>/move/", units.unit_move, name="api_unit_move"),
    path("units/<slug:slug>/move/preview/", units.move_preview, name="api_move_preview"),
    path("units/<slug:slug>/retire/", units.unit_retire, name="api_unit_retire"),
    path(
        "units/<slug:slug>/retire/preview/",
        units.retirement_preview,
        name="api_retirement_preview",
    ),
    path("delegations/", people.delegation_list, name="api_delegations"),
    path("delegations/<int:pk>/", people.delegation_detail, name="api_delegation"),
    path("projects/", projects.project_list, name="api_projects"),
    path("projects/<slug:slug>/", projects.project_detail, name="api_project"),
    path("projects/<slug:slug>/members/", projects.member_list, name="api_members"),
    path("projects/<slug:slug>/accounts/", projects.account_list, name="api_accounts"),
    path("projects/<slug:slug>/transfers/", projects.transfer_list, name="api_transfers"),
    path("preview/", verbs.wish_preview, name="api_preview"),
    path("requests/", requests.request_list, name="api_requests"),
    path("requests/<int:pk>/", requests.request_detail, name="api_request"),
    path("requests/<int:pk>/comments/", requests.comment_list, name="api_comments"),
    path("requests/<int:pk>/submit/", verbs.request_submit, name="api_request_submit"),
    path("requests/<int:pk>/amend/", verbs.request_amend, name="api_request_amend"),
    path("requests/<int:pk>/answer/", verbs.request_answer, name="api_request_answer"),
    path("requests/<int:pk>/withdraw/", verbs.request_withdraw, name="api_request_withdraw"),
    path("requests/<int:pk>/comment/", verbs.request_comment, name="api_request_comment"),
    path("requests/<int:pk>/approve/", verbs.request_approve, name="api_request_approve"),
    path("requests/<int:pk>/decline/", verbs.request_decline, name="api_request_decline"),
    path("requests/<int:pk>/return/", verbs.request_return, name="api_request_return"),
    path("requests/<int:pk>/watch/", notices.request_watch, name="api_request_watch"),
    path("requests/<int:pk>/unwatch/", notices.request_unwatch, name="api_request_unwatch"),
    path("notices/", notices.notice_list, name="api_notices"),
    path("notices/read/", notices.notices_read, name="api_notices_read"),
    path("queue/", queue.queue_list, name="api_queue"),
    path("queue/decide/", queue.queue_decide, name="api_queue_decide"),
    path("decisions/", requests.decision_list, name="api_decisions"),
    path("decisions/<int:pk>/", requests.decision_detail, name="api_decision"),
    path("endpoints/", operations.endpoint_list, name="api_endpoints"),
    path("endpoints/<slug:slug>/", operations.endpoint_detail, name="api_endpoint"),
    path("endpoints/<slug:slug>/retry/", operations.endpoint_retry, name="api_endpoint_retry"),
    path("endpoints/<slug:slug>/pause/", operations.endpoint_pause, name="api_endpoint_pause"),
    path(
        "endpoints/<slug:slug>/restrict/",
        operations.endpoint_restrict,
        name="api_endpoint_restrict",
    ),
    path("endpoints/<slug:slug>/resume/", operations.endpoint_resume, name="api_endpoint_resume"),
    path("endpoints/<slug:slug>/words/", operations.endpoint_words, name="api_endpoint_words"),
    path("endpoints/<slug:slug>/plan/", plan.endpoint_plan, name="api_endpoint_plan"),
    path("endpoints/<slug:slug>/refresh/", plan.endpoint_refresh, name="api_endpoint_refresh"),
    path("targets/", operations.target_list, name="api_targets"),
    path("targets/<int:pk>/", operations.target_detail, name="api_target"),
    path("targets/<int:pk>/retry/", operations.target_retry, name="api_target_retry"),
    path("targets/<int:pk>/adopt/", project_adoption.target_adopt, name="api_target_adopt"),
    path(
        "targets/<int:pk>/recreate/", project_adoption.target_recreate, name="api_target_recreate"
    ),
    path("targets/<int:pk>/refresh/", plan.target_refresh, name="api_target_refresh"),
    path("targets/<int:pk>/skip/", problems.target_skip, name="api_target_skip"),
    path("targets/<int:pk>/remedy/", problems.target_remedy, name="api_target_remedy"),
    path(
        "endpoints/<slug:slug>/limits/<str:key>/leave-out/",
        problems.limit_leave_out,
        name="api_limit_leave_out",
    ),
    path(
        "endpoints/<slug:slug>/limits/<str:key>/take-in/",
        problems.limit_take_in,
        name="api_limit_take_in",
    ),
    path("problems/", problems.problem_list, name="api_problems"),
    path(
        "problems/<str:cause>/<slug:slug>/targets/",
        problems.problem_targets,
        name="api_problem_targets",
    ),
    path(
        "problems/<str:cause>/<slug:slug>/retry/", problems.problem_retry, name="api_problem_retry"
    ),
    path("problems/<str:cause>/<slug:slug>/skip/", problems.problem_skip, name="api_problem_skip"),
    path(
        "problems/<str:cause>/<slug:slug>/remedy/",
        problems.problem_remedy,
        name="api_problem_remedy",
    ),
    path("jobs/", jobs.job_list, name="api_jobs"),
    path("jobs/<int:pk>/", jobs.job_detail, name="api_job"),
    path("jobs/<int:pk>/items/", jobs.job_items, name="api_job_items"),
    path("drift/", drift.drift_list, name="api_drifts"),
    path("drift/coverage/", drift.coverage_list, name="api_coverage"),
    path("drift/unanswered/", drift.unanswered_list, name="api_unanswered"),
    path("drift/restore/", drift.drifts_restore, name="api_drifts_restore"),
    path("drift/ignore/", drift.drifts_ignore, name="api_drifts_ignore"),
    path("drift/<int:pk>/", drift.drift_detail, name="api_drift"),
    path("drift/<int:pk>/restore/", drift.drift_restore, name="api_drift_restore"),
    path("drift/<int:pk>/ignore/", drift.drift_ignore, name="api_drift_ignore"),
    path("drift/<int:pk>/adopt/", drift.drift_adopt, name="api_drift_adopt"),
    path("events/", events.event_list, name="api_events"),
]
