"""Where a site's database, broker and limits are, and how they are spoken to."""

from pathlib import Path

from portal.lib import env
from portal.lib.database_url import SCHEMES, parse_database_url
from portal.lib.servers.supervisor import read_addresses

BASE_DIR = Path(__file__).resolve().parent.parent
DATABASE_URL = env.url("DATABASE_URL", schemes=SCHEMES)
BROKER_URL = env.url("BROKER_URL", schemes=("redis", "rediss", "amqp", "amqps"))
# Secrets and data of the embedded servers; production keeps nothing there.
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / ".data"))).absolute()

_servers = None if DATABASE_URL and BROKER_URL else read_addresses(DATA_DIR)
# Commands that need no server still start without one; who connects reads this name.
_nowhere = f"postgresql:///remit?host={DATA_DIR}/start-make-run-or-set-DATABASE_URL"

# --- Database -------------------------------------------------------------------------

_database = parse_database_url(
    DATABASE_URL or (_servers.database_url if _servers else _nowhere),
)
# Behind a pooler that hands out connections by transaction (PgBouncer) nothing may be left to a
# session: what is set for each stands with the database's role (portal/pooled.py asks), and rows
# come without cursors that outlive a transaction.
DATABASE_POOLED = env.boolean("DATABASE_POOLED", default=False)
DATABASE_SESSION = {
    # A lock that is not had in this time is somebody's long transaction: refuse, not hang.
    "lock_timeout": env.integer("LOCK_TIMEOUT_MS", 5_000, low=100, high=60_000),
    # No transaction of ours waits for anything but the database.
    "idle_in_transaction_session_timeout": env.integer(
        "IDLE_IN_TRANSACTION_TIMEOUT_MS", 60_000, low=1_000, high=600_000
    ),
    # PostgreSQL's own 4 is for disks that turn. On others a row by its key costs hardly more than
    # one in passing, and who thinks otherwise reads whole tables for somebody who has much.
    "random_page_cost": env.number("RANDOM_PAGE_COST", 1.1, low=1, high=10),
}
# What is asked all the time the server plans once for each connection (portal/lib/prepared.py),
# which only a session of one's own can keep.
PREPARED_STATEMENTS = env.boolean("PREPARED_STATEMENTS", default=True) and not DATABASE_POOLED
_session: dict[str, object] = {} if DATABASE_POOLED else {**DATABASE_SESSION}
if PREPARED_STATEMENTS:
    # At once; nothing of Django's own is sent with its values apart, so it is never prepared.
    _database["OPTIONS"]["prepare_threshold"] = 0
    # Else the server plans anew for each call as long as that looks a little cheaper, and leaves
    # out of this what planning takes.
    _session["plan_cache_mode"] = "force_generic_plan"
_database["OPTIONS"].setdefault("connect_timeout", 5)
if _session:
    _database["OPTIONS"]["options"] = " ".join(
        [
            *filter(None, [_database["OPTIONS"].get("options")]),
            *(f"-c {name}={value}" for name, value in _session.items()),
        ]
    )
DATABASES = {
    "default": _database
    | {
        "CONN_MAX_AGE": env.integer("CONN_MAX_AGE_SECONDS", 60, low=0, high=3_600),
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": DATABASE_POOLED,
        # A request is one transaction only where an action says so.
        "ATOMIC_REQUESTS": False,
    }
}

# --- Broker ---------------------------------------------------------------------------

CELERY_BROKER_URL = BROKER_URL or (_servers.broker_url if _servers else "redis://127.0.0.1:1/0")
# Nobody steers workers through the broker. At RabbitMQ the queue for that is one worker's alone: a
# second of the same name would end by it. At Redis a worker notices by it that its broker is gone.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = CELERY_BROKER_URL.startswith("redis")
# The longest that a decision may wait for a broker that is down or hangs; portal/lib/wake.py.
BROKER_SOCKET_TIMEOUT = env.seconds("BROKER_SOCKET_TIMEOUT", 0.3, low=0.05, high=5)
# After a failure nobody in this process waits for the broker again for so long.
BROKER_PAUSE_SECONDS = env.seconds("BROKER_PAUSE_SECONDS", 5, low=0, high=300)

# --- Limits of the API ---------------------------------------------------------------

# The Redis that counts them: the broker, where that is one. Without any nobody is limited.
LIMITS_URL = env.url("LIMITS_URL", schemes=("redis", "rediss")) or (
    CELERY_BROKER_URL if CELERY_BROKER_URL.startswith("redis") else ""
)
# The longest that one call waits for it when it hangs; portal/lib/pace.py.
LIMITS_SOCKET_TIMEOUT = env.seconds("LIMITS_SOCKET_TIMEOUT", 0.05, low=0.005, high=1)
