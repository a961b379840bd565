"""Drivers: how a service is told its limits, and how it is asked what is used.

An island: no model, no setting, no other package of the project is imported here,
and nothing else in the project imports openstacksdk. Read `base.py` to write a
driver, `errors.py` to know what it may raise.
"""

from quotas.backends.base import (
    UNLIMITED,
    Assignment,
    EndpointConfig,
    Figure,
    FindBy,
    GapDriver,
    HeldRole,
    Holder,
    HolderKind,
    HolderRule,
    IdentityDriver,
    IdentityProject,
    KeySpec,
    NamedHolder,
    ProjectPage,
    QuotaDriver,
    Survey,
    SurveyDriver,
)
from quotas.backends.errors import BackendError, Kind
from quotas.backends.registry import Registry

__all__ = [
    "UNLIMITED",
    "Assignment",
    "BackendError",
    "EndpointConfig",
    "Figure",
    "FindBy",
    "GapDriver",
    "HeldRole",
    "Holder",
    "HolderKind",
    "HolderRule",
    "IdentityDriver",
    "IdentityProject",
    "KeySpec",
    "Kind",
    "NamedHolder",
    "ProjectPage",
    "QuotaDriver",
    "Registry",
    "Survey",
    "SurveyDriver",
]
