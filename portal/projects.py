"""What a site chooses about projects: names, how long they last, and who gets one by itself."""

from portal.lib import env

# What a project may be called, as a regular expression; the clouds are told the name.
PROJECT_NAME_PATTERN = env.pattern("PROJECT_NAME_PATTERN", r"[^\W_][\w .-]*")
# Whether whoever asks for a project must say until when.
PROJECTS_MUST_END = env.boolean("PROJECTS_MUST_END", False)
# For how many days from today an owner can extend a project without asking anybody.
PROJECT_RENEW_DAYS = env.integer("PROJECT_RENEW_DAYS", 365, low=0, high=3660)
# Days in which whom a project is offered to can accept it.
PROJECT_OFFER_DAYS = env.integer("PROJECT_OFFER_DAYS", 14, low=1, high=366)
# How many days before a project or a loan ends its owners and managers are told.
END_NOTICE_DAYS = env.days("END_NOTICE_DAYS", (60, 27, 7))
# Days from when a project begins to close until what it has goes back: it can be kept meanwhile.
PROJECT_GRACE_DAYS = env.integer("PROJECT_GRACE_DAYS", 14, low=0, high=366)
# After an absence of at most so many days somebody has the roles again that ended with it.
LEAVER_RETURN_DAYS = env.integer("LEAVER_RETURN_DAYS", 30, low=0, high=366)
# How often the calendar is looked at: who is to be told, what ends, what became free meanwhile.
CALENDAR_SECONDS = env.seconds("CALENDAR_SECONDS", 300, low=1, high=21_600)
# Where everybody gets a project of their own as they first sign in, and with what: the slugs of a
# unit and of a preset. Who decides there, or a rule of theirs, grants it.
PERSONAL_PROJECT_UNIT = env.text("PERSONAL_PROJECT_UNIT")
PERSONAL_PROJECT_PRESET = env.text("PERSONAL_PROJECT_PRESET")
if bool(PERSONAL_PROJECT_UNIT) != bool(PERSONAL_PROJECT_PRESET):
    raise env.Refused(["PERSONAL_PROJECT_UNIT and PERSONAL_PROJECT_PRESET go together: set both."])
# How many proposed projects of one person wait at once.
PROPOSALS_AT_ONCE = env.integer("PROPOSALS_AT_ONCE", 10, low=1, high=1000)
