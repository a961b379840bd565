"""The committed document of the API, read once for each process, and how it is served.

It is that of the code (the tests compare them), so nobody waits for it to be made, and whoever
asks for it without a sign-in costs next to nothing.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from portal.lib.access import shows

FILE = "docs/openapi.yaml"
YAML_KIND, JSON_KIND = "application/vnd.oai.openapi", "application/vnd.oai.openapi+json"


@dataclass(frozen=True)
class Published:
    """The document as it is sent, by its kind, and as data."""

    document: dict[str, Any]
    text: dict[str, bytes]
    tag: dict[str, str]


@cache
def published() -> Published:
    """Takes about half a second, once."""
    raw = (settings.BASE_DIR / FILE).read_bytes()
    document = yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    text = {YAML_KIND: raw, JSON_KIND: json.dumps(document, ensure_ascii=False).encode()}
    tag = {kind: f'"{hashlib.sha256(each).hexdigest()[:24]}"' for kind, each in text.items()}
    return Published(document, text, tag)


@shows("public")
@login_not_required
@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1: YAML, or JSON where the query or `Accept` says so. 304 for who has it."""
    found, kind = published(), _kind(request)
    if found.tag[kind] in parse_etags(request.headers.get("If-None-Match", "")):
        answer = HttpResponse(status=304)
    else:
        answer = HttpResponse(found.text[kind], content_type=f"{kind}; charset=utf-8")
    answer["ETag"] = found.tag[kind]
    answer["Vary"] = "Accept"
    answer["Cache-Control"] = "public, max-age=300"
    return answer


def _kind(request: HttpRequest) -> str:
    wanted = request.GET.get("format", "")
    if wanted in ("json", "yaml"):
        return JSON_KIND if wanted == "json" else YAML_KIND
    best = request.get_preferred_type(
        [YAML_KIND, "application/yaml", JSON_KIND, "application/json"]
    )
    return JSON_KIND if best in (JSON_KIND, "application/json") else YAML_KIND
