"""The tables that answer: how much, and where?"""

from .announcements import Announcement
from .authority import Assignment, BoundUse, DelegationBound, RouteMark
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
    Limit,
    Reading,
    Target,
    UsagePeak,
)
from .handles import HolderHandle, KnownName, ProjectHandle, RoleGrant
from .jobs import Job, JobItem
from .kept import KeptLimit
from .ledger import (
    Account,
    EnvelopeAct,
    EnvelopeActKind,
    Holder,
    Loan,
    Transfer,
    TransferKind,
)
from .observing import Crossing, SurveyRun, UsageThresholds
from .pacing import CallPace, CallSlot
from .policies import Policy, PolicyVersion
from .reclaim import QuotaReturn, UnusedQuota
from .requests import (
    Comment,
    Decision,
    DecisionKind,
    DecisionLine,
    Delivery,
    QuotaRequest,
    RequestLine,
    Watcher,
)
from .usage import UnitUsage

__all__ = [
    "Account",
    "Announcement",
    "Assignment",
    "BoundUse",
    "CallPace",
    "CallSlot",
    "Capacity",
    "Comment",
    "Contribution",
    "Crossing",
    "Decision",
    "DecisionKind",
    "DecisionLine",
    "DelegationBound",
    "Delivery",
    "Drift",
    "Endpoint",
    "EndpointWord",
    "EnvelopeAct",
    "EnvelopeActKind",
    "Holder",
    "HolderHandle",
    "Job",
    "JobItem",
    "KeptLimit",
    "KnownName",
    "Limit",
    "Loan",
    "Offering",
    "Policy",
    "PolicyVersion",
    "Preset",
    "PresetLine",
    "ProjectHandle",
    "QuotaRequest",
    "QuotaReturn",
    "Reading",
    "Region",
    "RequestLine",
    "Resource",
    "RoleGrant",
    "RouteMark",
    "SurveyRun",
    "Target",
    "Transfer",
    "TransferKind",
    "UnitUsage",
    "UnusedQuota",
    "UsagePeak",
    "UsageThresholds",
    "Watcher",
    "Zone",
    "ZoneKind",
]
