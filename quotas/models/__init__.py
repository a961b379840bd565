"""The tables that answer: how much, and where?"""

from .catalogue import (
    Capacity,
    Offering,
    Preset,
    PresetLine,
    Region,
    Resource,
    Zone,
    ZoneKind,
)
from .drift import Drift
from .enforcement import (
    Contribution,
    Endpoint,
    EndpointWord,
    HolderHandle,
    Limit,
    ProjectHandle,
    Reading,
    RoleGrant,
    Target,
    UsagePeak,
)
from .jobs import Job, JobItem
from .ledger import Account, Holder, Loan, Transfer, TransferKind
from .pacing import CallPace, CallSlot
from .requests import (
    Assignment,
    Comment,
    Decision,
    DecisionKind,
    DecisionLine,
    DelegationBound,
    Delivery,
    QuotaRequest,
    RequestLine,
)

__all__ = [
    "Account",
    "Assignment",
    "CallPace",
    "CallSlot",
    "Capacity",
    "Comment",
    "Contribution",
    "Decision",
    "DecisionKind",
    "DecisionLine",
    "DelegationBound",
    "Delivery",
    "Drift",
    "Endpoint",
    "EndpointWord",
    "Holder",
    "HolderHandle",
    "Job",
    "JobItem",
    "Limit",
    "Loan",
    "Offering",
    "Preset",
    "PresetLine",
    "ProjectHandle",
    "QuotaRequest",
    "Reading",
    "Region",
    "RequestLine",
    "Resource",
    "RoleGrant",
    "Target",
    "Transfer",
    "TransferKind",
    "UsagePeak",
    "Zone",
    "ZoneKind",
]
