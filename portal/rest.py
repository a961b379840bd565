"""How the framework of the REST API and the maker of its document are set up: the same at any site.

Values alone, for portal/settings.py; what a site may choose stands there.
"""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "quotas.api.bearers.Bearer",
        "quotas.api.sessions.Session",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "quotas.api.negotiation.Negotiation",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["quotas.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "quotas.api.document.Operation",
    "EXCEPTION_HANDLER": "quotas.api.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "COERCE_DECIMAL_TO_STRING": False,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Remit",
    "DESCRIPTION": "Quota and delegation of a private cloud. Amounts are integers in base units.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "quotas.api.document.describe_tags",
        "quotas.api.document.allow_either",
        "quotas.api.document.share_refusals",
        "quotas.api.document.add_examples",
    ],
    # Names of words that are the same in several places, or of several sets of one name.
    "ENUM_NAME_OVERRIDES": {
        "ZoneKind": "quotas.models.ZoneKind.values",
        "ProjectKind": "projects.models.ProjectKind",
        "ProjectState": "projects.states.ProjectState.values",
        "Role": "projects.states.Role.values",
        "Power": "projects.states.Power.values",
        "AccountKind": "quotas.models.Holder.values",
        "TransferKind": "quotas.models.TransferKind.values",
        "DecisionKind": "quotas.models.DecisionKind.values",
        "LineState": "quotas.states.LineState.values",
        "RequestState": "quotas.states.RequestState.values",
        "TargetState": "quotas.states.TargetState.values",
        "EndpointState": "quotas.states.EndpointState.values",
        "HolderKind": ["person", "group"],
        "PlaceKind": ["project", "unit"],
        "EnvelopeActKind": "quotas.models.ledger.EnvelopeActKind.values",
        "NoticeSubjectKind": [
            "request",
            "delegation",
            "unit",
            "webhook",
            "token",
            "project",
            "announcement",
        ],
        "AnnouncementState": "quotas.states.AnnouncementState.values",
        "AnnouncedTo": "quotas.states.AnnouncedTo.values",
        "WebhookState": "projects.states.WebhookState.values",
        "NoticeKind": "projects.states.NoticeKind.values",
        "MailWay": "projects.states.MailWay.values",
        "LetterState": "projects.states.LetterState.values",
        "WebhookCallState": "projects.states.CallState.values",
        "BearerKind": ["person", "service_account"],
        "TokenState": ["live", "ended", "revoked"],
        "TokenScope": "projects.states.TokenScope.values",
        "Nobody": "quotas.queries.waiting_for.Nobody.values",
    },
}
