"""What a site chooses about quota that is not used: what counts as that, and giving it back."""

from portal.lib import env

# Of the highest use of 90 days a project keeps so many times as much.
RECLAIM_HEADROOM = env.number("RECLAIM_HEADROOM", 1.2, low=1, high=10)
# On how many of the 90 days use must have been seen before anything is suggested.
RECLAIM_EVIDENCE_DAYS = env.integer("RECLAIM_EVIDENCE_DAYS", 60, low=1, high=90)
# For how many days a project can have again what it returned.
RECLAIM_UNDO_DAYS = env.integer("RECLAIM_UNDO_DAYS", 7, low=1, high=90)
# How many days pass before a project's owners are asked again to return something.
RECLAIM_ASK_DAYS = env.integer("RECLAIM_ASK_DAYS", 14, low=1, high=366)
