"""Which limit is missed for a reason that docs/performance.md gives, and where it gives it."""

# {name of a limit (limits.py): an anchor of docs/performance.md, one for each cause}
ANCHORS: dict[str, str] = {
    "many changes on real OpenStack: value": "changes-on-real-openstack",
}
EXPLAINED = {name: f"docs/performance.md#{anchor}" for name, anchor in ANCHORS.items()}
