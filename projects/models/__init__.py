"""The tables that answer: who?"""

from .delegations import Delegation
from .directory import Absence, DirectoryRun
from .eras import Era
from .events import Event
from .lifecycle import EndNotice, ProjectAct, ProjectChange, ProjectHold
from .mail import DigestHour, Letter, LetterNotice, MailChoice, Postbox
from .outgoing import Notice
from .people import LOCAL_ISSUER, Group, GroupMembership, User, in_force
from .projects import TAG_PREFIX, Membership, Project, ProjectKind, ProjectPlacement
from .tokens import ApiToken, KeptAnswer, ServiceAccount
from .units import Holiday, Unit, UnitPlacement, ancestor_paths, label_of_path
from .webhooks import Webhook, WebhookAttempt, WebhookCall

__all__ = [
    "LOCAL_ISSUER",
    "TAG_PREFIX",
    "Absence",
    "ApiToken",
    "Delegation",
    "DigestHour",
    "DirectoryRun",
    "EndNotice",
    "Era",
    "Event",
    "Group",
    "GroupMembership",
    "Holiday",
    "KeptAnswer",
    "Letter",
    "LetterNotice",
    "MailChoice",
    "Membership",
    "Notice",
    "Postbox",
    "Project",
    "ProjectAct",
    "ProjectChange",
    "ProjectHold",
    "ProjectKind",
    "ProjectPlacement",
    "ServiceAccount",
    "Unit",
    "UnitPlacement",
    "User",
    "Webhook",
    "WebhookAttempt",
    "WebhookCall",
    "ancestor_paths",
    "in_force",
    "label_of_path",
]
