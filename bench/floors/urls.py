"""Addresses of the floors."""

from django.urls import URLPattern, URLResolver, include, path

from . import lists, pages, writes

floors: list[URLPattern | URLResolver] = [
    path("requests/<int:count>/", pages.request_rows, name="request_rows"),
    path("quota/<slug:slug>/", pages.quota_rows, name="quota_rows"),
    path("write/<int:number>/", writes.write, name="write"),
    path("api/requests/", lists.RequestList.as_view()),
    path("api/projects/", lists.ProjectList.as_view()),
    path("api/events/", lists.EventList.as_view()),
    path("api/transfers/<slug:slug>/", lists.TransferList.as_view()),
]
# Where the links of the rows lead; nobody follows them.
shown: list[URLPattern | URLResolver] = [
    path("requests/<int:number>/", pages.nothing, name="request"),
    path("quota/<slug:slug>/<str:offering>/", pages.nothing, name="quota"),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("floor/", include(floors)),
    path("floor/shown/", include(shown)),
]
