"""What a site chooses about looking at its clouds, and about telling people what they use."""

from portal.lib import env

# Within this all projects of an endpoint are read: at once where the service can, else in turn.
OBSERVE_SECONDS = env.seconds("OBSERVE_SECONDS", 300, low=1, high=86_400)
# How often one project is read by itself where a reading of all tells its use but not its limits.
OBSERVE_EACH_SECONDS = env.seconds(
    "OBSERVE_EACH_SECONDS", min(12 * OBSERVE_SECONDS, 86_400), low=1, high=86_400
)
# A reading of all projects of an endpoint ends within this, and so many are under way at once: each
# takes a process of the workers, of which some must be left for deliveries.
SURVEY_TIMEOUT_SECONDS = env.seconds("SURVEY_TIMEOUT_SECONDS", 600, low=1, high=21_600)
SURVEYS_AT_ONCE = env.integer("SURVEYS_AT_ONCE", 1, low=1, high=100)
# For how many days the highest use of each day is kept.
PEAK_DAYS = env.integer("PEAK_DAYS", 400, low=91, high=3_660)
# At which per cents of a limit owners and managers are told, beside those of their own; empty: at
# none.
USAGE_THRESHOLDS = env.percents("USAGE_THRESHOLDS", (80, 95))
