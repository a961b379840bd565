"""Addresses of requests, decisions, the catalogue and the endpoints."""

from django.urls import URLPattern, URLResolver, include, path

from quotas.views import (
    catalogue,
    decide,
    drafts,
    drift,
    endpoints,
    home,
    jobs,
    limit_adoption,
    notices,
    operations,
    plan,
    problems,
    progress,
    project_adoption,
    projects,
    queue,
    remit,
    requests,
    search,
    units,
    watching,
    why,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("notices/", notices.notice_list, name="notice_list"),
    path("notices/read/", notices.notice_read, name="notice_read"),
    path("projects/", projects.project_list, name="project_list"),
    path("projects/<slug:slug>/", projects.project_detail, name="project_detail"),
    path("projects/<slug:slug>/why/<str:offering>/", why.quota_why, name="quota_why"),
    path("requests/", requests.request_list, name="request_list"),
    path("requests/new/", drafts.request_new, name="request_new"),
    path("requests/preview/", drafts.request_preview, name="request_preview"),
    path("requests/<int:number>/", requests.request_detail, name="request_detail"),
    path("requests/<int:number>/progress/", progress.request_progress, name="request_progress"),
    path("requests/<int:number>/edit/", drafts.request_edit, name="request_edit"),
    path("requests/<int:number>/submit/", drafts.request_submit, name="request_submit"),
    path("requests/<int:number>/discard/", drafts.request_discard, name="request_discard"),
    path("requests/<int:number>/amend/", requests.request_amend, name="request_amend"),
    path("requests/<int:number>/answer/", requests.request_answer, name="request_answer"),
    path("requests/<int:number>/withdraw/", requests.request_withdraw, name="request_withdraw"),
    path("requests/<int:number>/comment/", requests.request_comment, name="request_comment"),
    path("requests/<int:number>/watch/", watching.request_watch, name="request_watch"),
    path("requests/<int:number>/unwatch/", watching.request_unwatch, name="request_unwatch"),
    path("decide/", queue.queue, name="queue"),
    path("decide/<int:number>/", decide.decide, name="decide"),
    path("decide/<int:number>/approve/", decide.request_approve, name="request_approve"),
    path("decide/<int:number>/return/", decide.request_return, name="request_return"),
    path("decide/<int:number>/decline/", decide.request_decline, name="request_decline"),
    path("catalogue/", catalogue.catalogue, name="catalogue"),
    path("units/", units.unit_list, name="unit_list"),
    path("units/<slug:slug>/", units.unit_detail, name="unit_detail"),
    path("remit/", remit.remit, name="remit"),
    path("remit/D-<int:pk>/", remit.delegation_detail, name="delegation_detail"),
    path("operations/endpoints/", operations.endpoint_list, name="endpoint_list"),
    path("operations/endpoints/<slug:slug>/", operations.endpoint_detail, name="endpoint_detail"),
    path(
        "operations/endpoints/<slug:slug>/retry/", operations.endpoint_retry, name="endpoint_retry"
    ),
    path(
        "operations/endpoints/<slug:slug>/pause/", endpoints.endpoint_pause, name="endpoint_pause"
    ),
    path(
        "operations/endpoints/<slug:slug>/restrict/",
        endpoints.endpoint_restrict,
        name="endpoint_restrict",
    ),
    path(
        "operations/endpoints/<slug:slug>/resume/",
        endpoints.endpoint_resume,
        name="endpoint_resume",
    ),
    path(
        "operations/endpoints/<slug:slug>/targets/<int:target_id>/retry/",
        operations.target_retry,
        name="target_retry",
    ),
    path(
        "operations/endpoints/<slug:slug>/targets/<int:target_id>/adopt/",
        project_adoption.target_adopt,
        name="target_adopt",
    ),
    path(
        "operations/endpoints/<slug:slug>/targets/<int:target_id>/recreate/",
        project_adoption.target_recreate,
        name="target_recreate",
    ),
    path("operations/endpoints/<slug:slug>/plan/", plan.endpoint_plan, name="endpoint_plan"),
    path(
        "operations/endpoints/<slug:slug>/refresh/", plan.endpoint_refresh, name="endpoint_refresh"
    ),
    path(
        "operations/endpoints/<slug:slug>/targets/<int:target_id>/plan/",
        plan.target_plan,
        name="target_plan",
    ),
    path(
        "operations/endpoints/<slug:slug>/targets/<int:target_id>/refresh/",
        plan.target_refresh,
        name="target_refresh",
    ),
    path("projects/<slug:slug>/plan/", plan.project_plan, name="project_plan"),
    path("operations/problems/", problems.problem_list, name="problem_list"),
    path(
        "operations/problems/<str:cause>/<slug:slug>/",
        problems.problem_detail,
        name="problem_detail",
    ),
    path(
        "operations/problems/<str:cause>/<slug:slug>/retry/",
        problems.problem_retry,
        name="problem_retry",
    ),
    path(
        "operations/problems/<str:cause>/<slug:slug>/skip/",
        problems.problem_skip,
        name="problem_skip",
    ),
    path(
        "operations/problems/<str:cause>/<slug:slug>/remedy/",
        problems.problem_remedy,
        name="problem_remedy",
    ),
    path(
        "operations/endpoints/<slug:slug>/limits/<int:limit_id>/leave-out/",
        problems.limit_leave_out,
        name="limit_leave_out",
    ),
    path(
        "operations/endpoints/<slug:slug>/limits/<int:limit_id>/take-in/",
        problems.limit_take_in,
        name="limit_take_in",
    ),
    path("jobs/", jobs.job_list, name="job_list"),
    path("jobs/<int:number>/", jobs.job_detail, name="job_detail"),
    path("jobs/<int:number>/progress/", jobs.job_progress, name="job_progress"),
    path("operations/drift/", drift.drift_list, name="drift_list"),
    path("operations/drift/chosen/", drift.drift_chosen, name="drift_chosen"),
    path("operations/drift/<int:pk>/restore/", drift.drift_restore, name="drift_restore"),
    path("operations/drift/<int:pk>/ignore/", drift.drift_ignore, name="drift_ignore"),
    path(
        "projects/<slug:slug>/drift/<int:pk>/adopt/", limit_adoption.drift_adopt, name="drift_adopt"
    ),
    path("find/", search.find, name="find"),
    path("api/v1/", include("quotas.api.urls")),
]
