"""The words and moves of people and projects: data only, no queries."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """A role in a project, strongest first."""

    OWNER = "owner", _("owner")
    MANAGER = "manager", _("manager")
    MEMBER = "member", _("member")
    READER = "reader", _("reader")


# Who holds one of these must not decide or fund for the project.
ROLES_ABOVE_READER = (Role.OWNER, Role.MANAGER, Role.MEMBER)
# Who may ask for quota.
ROLES_THAT_ASK = (Role.OWNER, Role.MANAGER)


class ProjectState(models.TextChoices):
    PROPOSED = "proposed", _("proposed")
    ACTIVE = "active", _("active")
    SUSPENDED = "suspended", _("suspended")
    CLOSING = "closing", _("closing")
    CLOSED = "closed", _("closed")
    # Declined or withdrawn before it was opened: it never was, and its name is free.
    DROPPED = "dropped", _("not opened")


PROJECT_MOVES = {
    (ProjectState.PROPOSED, "open"): ProjectState.ACTIVE,
    (ProjectState.PROPOSED, "drop"): ProjectState.DROPPED,
    (ProjectState.ACTIVE, "suspend"): ProjectState.SUSPENDED,
    (ProjectState.SUSPENDED, "resume"): ProjectState.ACTIVE,
    (ProjectState.ACTIVE, "close"): ProjectState.CLOSING,
    (ProjectState.SUSPENDED, "close"): ProjectState.CLOSING,
    # Within the countdown.
    (ProjectState.CLOSING, "keep"): ProjectState.ACTIVE,
    (ProjectState.CLOSING, "keep suspended"): ProjectState.SUSPENDED,
    (ProjectState.CLOSING, "finish"): ProjectState.CLOSED,
}
# It exists in the clouds, with its quota and its people.
STANDING = (ProjectState.ACTIVE, ProjectState.SUSPENDED, ProjectState.CLOSING)


class ProjectActKind(models.TextChoices):
    """What was done with a project; each is one verb of page and API, or the calendar's."""

    PROPOSE = "propose", _("proposed")
    OPEN = "open", _("opened")
    DROP = "drop", _("not opened")
    RENAME = "rename", _("renamed")
    SUSPEND = "suspend", _("suspended")
    RESUME = "resume", _("resumed")
    EXTEND = "extend", _("extended")
    MOVE = "move", _("moved to another unit")
    HAND_OVER = "hand over", _("handed to another owner")
    HOLD = "hold", _("kept from ending")
    RELEASE = "release", _("no longer kept from ending")
    CLOSE = "close", _("closing")
    KEEP = "keep", _("kept after all")
    FINISH = "finish", _("closed")
    GIVE_BACK = "give back", _("quota given back")
    IMPORT = "import", _("taken over from a cloud")
    LOAN_END = "loan end", _("loan ended")
    LOAN_EXTEND = "loan extend", _("loan extended")
    LOAN_KEEP = "loan keep", _("loan made permanent")
    RETURN = "return", _("unused quota returned")
    UNDO_RETURN = "undo return", _("return undone")
    ASK_BACK = "ask back", _("asked to return unused quota")


# What pays back or draws anew what a project had before: nothing is given to it by these.
DRAWING_ANEW = (
    ProjectActKind.LOAN_EXTEND, ProjectActKind.LOAN_KEEP, ProjectActKind.MOVE,
    ProjectActKind.UNDO_RETURN,
)  # fmt: skip


class ChangeKind(models.TextChoices):
    """A change of a project that somebody else must agree to."""

    EXTEND = "extend", _("until another day")
    MOVE = "move", _("into another unit")
    HAND_OVER = "hand over", _("to another owner")
    LOAN = "loan", _("a loan for longer, or for good")


class ChangeState(models.TextChoices):
    OPEN = "open", _("waits for an answer")
    ACCEPTED = "accepted", _("accepted")
    DECLINED = "declined", _("declined")
    WITHDRAWN = "withdrawn", _("withdrawn")
    LAPSED = "lapsed", _("lapsed")


CHANGE_MOVES = {
    (ChangeState.OPEN, "accept"): ChangeState.ACCEPTED,
    (ChangeState.OPEN, "decline"): ChangeState.DECLINED,
    (ChangeState.OPEN, "withdraw"): ChangeState.WITHDRAWN,
    (ChangeState.OPEN, "lapse"): ChangeState.LAPSED,
}


class EndingKind(models.TextChoices):
    """What ends on a day, of which people are told before."""

    PROJECT = "project", _("project")
    LOAN = "loan", _("loan")


class Power(models.TextChoices):
    """What a delegation can allow."""

    DECIDE_QUOTA = "decide quota", _("decide quota")
    DECIDE_PROJECTS = "decide projects", _("decide projects")
    MANAGE_ENVELOPES = "manage envelopes", _("manage envelopes")
    MANAGE_MEMBERS = "manage members", _("manage members")
    PAUSE_ENDPOINT = "pause endpoint", _("pause endpoint")
    RETRY_DELIVERIES = "retry deliveries", _("retry deliveries")
    ASK_FOR_OTHERS = "ask for others", _("ask for others")
    EDIT_CATALOGUE = "edit catalogue", _("edit catalogue")
    AUDIT = "audit", _("audit")


# The powers by which quota is given: bounds say how much of it.
GIVING = (Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES)
# The powers of those who repair: they read what services say, in their own words.
REPAIRING = (Power.PAUSE_ENDPOINT, Power.RETRY_DELIVERIES)


class TokenScope(models.TextChoices):
    """What a token may be used for: it narrows what its person may do, and adds nothing."""

    READ = "read", _("read")
    ASK = "ask", _("ask for quota")
    DECIDE = "decide", _("decide requests")
    DELEGATE = "delegate", _("hand on authority")
    FUND = "fund", _("fund envelopes")
    REPAIR = "repair", _("repair deliveries")
    LISTEN = "listen", _("webhooks and notices")


class WebhookState(models.TextChoices):
    """Whether a webhook is called: its owner can stop it, long failure does."""

    ON = "on", _("on")
    OFF = "off", _("off")
    DISABLED = "disabled", _("disabled after failures")


class CallState(models.TextChoices):
    """How far a call of a webhook is."""

    DUE = "due", _("due")
    TAKEN = "taken", _("taken by the receiver")
    GIVEN_UP = "given up", _("given up")
    # Between the act and the call its owner lost sight of it.
    WITHHELD = "withheld", _("no longer yours to see")


class LetterState(models.TextChoices):
    """How far a letter is. Between `sending` and its answer nobody knows whether it was taken."""

    DUE = "due", _("due")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    # The mail server said no for good: there is no such mailbox, or it takes no such letter.
    REFUSED = "refused", _("refused by the mail server")
    GIVEN_UP = "given up", _("given up")
    # Whoever sent it was lost before the answer: perhaps sent, so not sent again.
    UNKNOWN = "unknown", _("perhaps sent")
    # Nothing was left to tell: seen, over, turned off, or no longer theirs to see.
    WITHHELD = "withheld", _("nothing left to tell")


class MailWay(models.TextChoices):
    """How a person wants notices of a kind by mail; on their first page they stand anyway."""

    AT_ONCE = "at once", _("at once")
    DIGEST = "digest", _("in the day's digest")
    OFF = "off", _("not by mail")


class NoticeKind(models.TextChoices):
    """Why somebody is told of an event: it waits for them, or they follow it."""

    # It is theirs to do.
    REMINDED = "reminded", _("waits for you")
    NUDGED = "nudged", _("somebody asks you to look")
    ESCALATED = "escalated", _("handed up to you")
    RETURNED = "returned", _("returned to you")
    # They follow it, asked for it, or it was done in their name.
    ASKED = "asked", _("asked in your name")
    ANSWERED = "answered", _("answered")
    COMMENTED = "commented", _("comment")
    ENDORSED = "endorsed", _("endorsed")
    DECIDED = "decided", _("decided")
    WITHDRAWN = "withdrawn", _("withdrawn")
    # About what they may do.
    DEPUTY = "deputy", _("deputy")
    DELEGATED = "delegated", _("delegated to you")
    REVOKED = "revoked", _("revoked")
    ENDS_SOON = "ends soon", _("ends soon")
    # About a project that they work in.
    ROLE = "role", _("your role in a project")
    PROJECT = "project", _("your project")
    NAME_TAKEN = "name taken", _("the name is taken")
    USAGE = "usage", _("close to its limit")
    # A change of a project waits for their yes, or was answered.
    CHANGE_ASKED = "change asked", _("a project waits for your answer")
    CHANGE_ANSWERED = "change answered", _("answered")
    # About groups and people that they answer for.
    JOINED = "joined", _("joined a group you delegated to")
    LEFT = "left", _("somebody left")
    ANNOUNCED = "announced", _("announcement")
    UNUSED = "unused", _("unused quota")
    # What programs do in their name.
    WEBHOOK_DISABLED = "webhook disabled", _("webhook disabled")
    WEBHOOK_TAKEN = "webhook taken", _("webhook taken over")
    TOKEN_ENDS = "token ends", _("token ends soon")
    # A unit, or the whole site, may soon have nobody who decides.
    COVERAGE = "coverage", _("deciders")
    # For operators: what the directory said was not believed.
    DIRECTORY = "directory", _("directory")
