"""Every URL of the site; the only module that sees every app."""

from django.urls import URLPattern, URLResolver, include, path

from portal import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics_page, name="metrics"),
    path("", include("projects.urls")),
    path("", include("quotas.urls")),
]

handler404 = "quotas.api.unknown.page_not_found"
handler500 = "quotas.api.unknown.server_error"
