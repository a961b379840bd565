"""Which limit is missed for a reason that docs/performance.md gives, and where it gives it."""

# {name of a limit (limits.py): an anchor of docs/performance.md}
ANCHORS: dict[str, str] = dict.fromkeys(
    [
        "queue: bytes", "queue: compressed", "queue: ratio", "project page: queries",
        "project page: ratio", "submit: ratio", "approve: ratio",
        "approve and back to the queue: ratio", "API list of 50: queue: ratio",
        "API list of 50: events: ratio", "API list of 50: transfers: ratio",
        "decision to applied: value",
    ],
    "measured-while-it-was-being-built",
)  # fmt: skip
EXPLAINED = {name: f"docs/performance.md#{anchor}" for name, anchor in ANCHORS.items()}
