"""What a site chooses about webhooks: where they may call, how long, and for how many days."""

from portal.lib import env

# Networks beside the public ones that webhooks may call: WEBHOOK_ALLOW_PRIVATE=10.1.0.0/16,…; and
# public ones that they may not, as a site's own.
WEBHOOK_ALLOW_PRIVATE = env.networks("WEBHOOK_ALLOW_PRIVATE")
WEBHOOK_REFUSE = env.networks("WEBHOOK_REFUSE")
WEBHOOK_ALLOW_HTTP = env.boolean("WEBHOOK_ALLOW_HTTP", default=False)
# For all of one call, from the name to the head of the answer.
WEBHOOK_TIMEOUT_SECONDS = env.seconds("WEBHOOK_TIMEOUT_SECONDS", 10, low=0.5, high=60)
# Calls under way at one webhook at once, all workers together.
WEBHOOK_CONCURRENCY = env.integer("WEBHOOK_CONCURRENCY", 2, low=1, high=50)
# A call is tried for so long, a webhook that only fails for so much longer.
WEBHOOK_GIVE_UP_DAYS = env.integer("WEBHOOK_GIVE_UP_DAYS", 3, low=1, high=30)
WEBHOOK_DISABLE_DAYS = env.integer("WEBHOOK_DISABLE_DAYS", 5, low=1, high=60)
WEBHOOK_LOG_DAYS = env.integer("WEBHOOK_LOG_DAYS", 30, low=1, high=365)
