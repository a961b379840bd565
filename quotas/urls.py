"""Addresses of requests, decisions, the catalogue and the endpoints."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
