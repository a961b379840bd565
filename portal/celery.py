"""Celery: four queues, one schedule, and workers that outlive their broker.

Messages only wake. The rows are the queue of record, so a message may be lost, doubled
or late; nothing is retried, counted down or answered through the broker.
"""

import os

from celery import Celery
from kombu import Queue
from kombu.transport.redis import Channel, QoS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

APPLY, OBSERVE, NOTIFY = "apply", "observe", "notify"
CALL, MAIL = "call", "mail"
# What a worker beside our own services takes. Workers of the others wait for the servers of
# others, however slow: they take no place of deliveries, and hold no credential of a cloud. Mail
# has a queue of its own, as only some machines may reach the mail server.
WORK = (APPLY, OBSERVE, NOTIFY)
CALLS = (CALL, MAIL)

# How a worker is started, after `celery --app portal`: workers do not talk to each other,
# and their heartbeat would block the loop that notices a broker that hangs.
WORKER_ARGUMENTS = (
    "worker",
    "--loglevel=INFO",
    "--without-mingle",
    "--without-gossip",
    "--without-heartbeat",
)


class Hints(QoS):
    """Messages that came by a connection which is lost are neither answered for nor handed back.

    The transport would try, through what it has closed already, and the worker would end by
    that whenever its broker is restarted while it works. They only wake: none must come back.
    """

    restore_at_shutdown = False

    def ack(self, delivery_tag: str) -> None:
        if self._is_connected():
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if self._is_connected():
            super().reject(delivery_tag, requeue)

    def _is_connected(self) -> bool:
        return getattr(self.channel.connection, "client", None) is not None


Channel.QoS = Hints

app = Celery("remit", fixups=["portal.kept_connections:fixup"])


# Broker and schedule depend on the environment: CELERY_* in portal/connecting.py, read lazily.
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    result_backend=None,
    task_ignore_result=True,
    task_default_queue=APPLY,
    task_queues=[Queue(APPLY), Queue(OBSERVE), Queue(NOTIFY), Queue(CALL), Queue(MAIL)],
    task_create_missing_queues=False,
    # By name, because who wakes a task (portal/lib/wake.py) does not import it.
    task_routes=[
        {
            # Short, and what frees a lost worker's targets: never behind the work itself.
            "quotas.tasks.sweep_*": {"queue": NOTIFY},
            # In slices of a few seconds: somebody watches it.
            "quotas.tasks.run_job": {"queue": NOTIFY},
            # Minutes, at somebody else's server.
            "quotas.tasks.read_directory": {"queue": CALL},
            "quotas.tasks.*observe*": {"queue": OBSERVE},
            "*.tasks.*notify*": {"queue": NOTIFY},
            "projects.tasks.sweep_*": {"queue": NOTIFY},
            # Behind whose address somebody else's slow server may stand.
            "projects.tasks.call_webhooks": {"queue": CALL},
            "quotas.tasks.post_letters": {"queue": MAIL},
            "*": {"queue": APPLY},
        }
    ],
    # Tasks may run twice, so a worker that dies hands its message to the next one.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    task_send_sent_event=False,
    enable_utc=True,
    timezone="UTC",
    # Workers and beat come back to a broker that was away for however long. Their
    # timeouts are long, as nobody waits; the short ones of web processes are wake.py's.
    broker_connection_retry=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=4,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_transport_options={
        "socket_timeout": 10,
        "socket_connect_timeout": 4,
        "socket_keepalive": True,
        # A broker that accepts and never answers is left after one to two of these.
        "health_check_interval": 5,
        # A message that no worker has finished by then goes to another one.
        "visibility_timeout": 300,
    },
)
app.autodiscover_tasks(["quotas", "projects"])
