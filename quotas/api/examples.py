"""The example values of the API's document: one project, one request, one decision."""

from typing import Any

_ALICE = {"id": "5b0f8e0e-54a5-4a39-9a0c-1f7f0c2a7d11", "name": "Alice"}
_DANA = {"id": "a3f1cf9c-8b67-4f36-8d5e-6d0b9c1f2e77", "name": "Dana"}
_OFFERING = "geneva.compute-a.vcpu"

WISH: dict[str, Any] = {
    "lines": {_OFFERING: 128, "geneva.storage-a.space": 2 * 2**40},
    "reason": "Reprocessing of the 2026 data",
    "until_on": None,
    "all_or_nothing": False,
}
SUBMIT = {"project": "atlas-reco", **WISH, "draft": False}
PREVIEW = {"project": "atlas-reco", "lines": {_OFFERING: 128}}
AMEND = {"lines": {_OFFERING: 96}, "version": 1}
ANSWER = {"text": "For run 4, until the summer.", "lines": {}, "version": 2}
APPROVE = {"granted": {"31": 96}, "seen": {"31": 64}, "version": 1, "reason": ""}
ENDORSE = {"endorsed": {"31": 128}, "version": 1, "reason": "They have used what they had."}
DECLINE = {"lines": [31], "reason": "Use what you have first.", "version": 1}
RETURN = {"lines": [31], "reason": "For which run is it?", "version": 1}
REQUEST = {
    "id": 4711,
    "project": {"slug": "atlas-reco", "name": "atlas-reco"},
    "requester": _ALICE,
    "asked_by": None,
    "state": "open",
    "reason": "Reprocessing of the 2026 data",
    "until_on": None,
    "all_or_nothing": False,
    "version": 1,
    "created_at": "2026-11-20T12:00:00Z",
    "submitted_at": "2026-11-20T12:00:00Z",
    "updated_at": "2026-11-20T12:00:00Z",
    "lines": [
        {
            "id": 31,
            "offering": _OFFERING,
            "state": "open",
            "wanted": 128,
            "balance_seen": 64,
            "balance": 64,
            "granted": None,
            "waits_for": [{"kind": "person", **_DANA}],
            "deliveries": [],
        }
    ],
}
DECISION = {
    "id": 902,
    "request": 4711,
    "kind": "approve",
    "actor": _DANA,
    "person": _DANA,
    "rule": None,
    "reason": "",
    "at": "2026-11-20T13:00:00Z",
    "lines": [
        {
            "line": 31,
            "offering": _OFFERING,
            "delegation": 12,
            "before": 64,
            "granted": 96,
            "endorsed": None,
        }
    ],
    "snapshot": None,
}
