"""Which limit is missed for a reason that docs/performance.md gives, and where it gives it."""

# {name of a limit (limits.py): an anchor of docs/performance.md, one for each cause}
ANCHORS: dict[str, str] = {
    "queue: bytes": "the-bytes-of-the-queue",
    "queue: compressed": "the-bytes-of-the-queue",
    "queue: ratio": "the-time-of-the-queue",
    "approve and back to the queue: ratio": "the-time-of-the-queue",
    "queue, flat in the number of requests: value": "the-growth-of-the-queue",
    "submit: ratio": "submit-and-approve",
    "approve: ratio": "submit-and-approve",
    "API list of 50: queue: ratio": "lists-of-the-api",
    "API list of 50: projects: ratio": "lists-of-the-api",
    "API list of 50: events: ratio": "lists-of-the-api",
    "API list of 50: transfers: ratio": "the-list-of-transfers",
}
EXPLAINED = {name: f"docs/performance.md#{anchor}" for name, anchor in ANCHORS.items()}
