"""Who may use what: Nova's flavors and Cinder's volume types, public and private.

Nova asks whether a project exists before it grants, Cinder does not.
"""

from typing import Any

from contrib.sandbox.calls import Answer, Call, Refusal, signed_in
from contrib.sandbox.state import Offer, new_id

FLAVOR, TYPE = "Flavor", "Volume type"
_ACCESS = {FLAVOR: "flavor_access", TYPE: "volume_type_access"}
_PUBLIC = {FLAVOR: "os-flavor-access:is_public", TYPE: "os-volume-type-access:is_public"}
_VERBS = {
    FLAVOR: ("addTenantAccess", "removeTenantAccess", "tenant"),
    TYPE: ("addProjectAccess", "removeProjectAccess", "project"),
}


def offers(call: Call, kind: str) -> dict[str, Offer]:
    """{id: flavor or volume type} of the region."""
    return call.cloud.offers.setdefault(f"{call.region}/{kind}", {})


def handle(call: Call, kind: str, rest: list[str]) -> Answer | None:
    """Answer one call; `rest` is the path after `/flavors` or `/types`. None: no such path."""
    _require_admin(call)
    match (call.method, *rest):
        case ("GET",) | ("GET", "detail"):
            with call.cloud.lock:
                rows = [shown(kind, each) for each in offers(call, kind).values()]
            is_public = call.query.get("is_public", "true").lower()
            if is_public not in ("none", "all"):
                rows = [row for row in rows if str(row[_PUBLIC[kind]]).lower() == is_public]
            return Answer(200, {"flavors" if kind == FLAVOR else "volume_types": rows})
        case ("POST",):
            return _create(call, kind)
        case ("GET", offer_id, "os-flavor-access" | "os-volume-type-access"):
            return _holders(call, kind, offer_id)
        case ("POST", offer_id, "action"):
            return _act(call, kind, offer_id)
    return None


def shown(kind: str, offer: Offer) -> dict[str, Any]:
    row = {"id": offer.id, "name": offer.name, _PUBLIC[kind]: offer.is_public}
    return row if kind == FLAVOR else {**row, "is_public": offer.is_public}


def _require_admin(call: Call) -> None:
    if "admin" not in signed_in(call).roles:
        raise Refusal(403, "Policy doesn't allow this to be performed.")


def _create(call: Call, kind: str) -> Answer:
    what = "flavor" if kind == FLAVOR else "volume_type"
    fields = (call.body or {}).get(what) or {}
    with call.cloud.change():
        made = Offer(new_id(), str(fields.get("name")), bool(fields.get(_PUBLIC[kind], True)))
        offers(call, kind)[made.id] = made
    return Answer(200, {what: shown(kind, made)})


def _found(call: Call, kind: str, offer_id: str) -> Offer:
    found = offers(call, kind).get(offer_id)
    if found is None:
        raise Refusal(404, f"{kind} {offer_id} could not be found.")
    return found


def _holders(call: Call, kind: str, offer_id: str) -> Answer:
    with call.cloud.lock:
        found = _found(call, kind, offer_id)
        if found.is_public:
            raise Refusal(404, f"Access list not available for public {kind.lower()}s.")
        return Answer(200, {_ACCESS[kind]: _rows(kind, found)})


def _rows(kind: str, offer: Offer) -> list[dict[str, str]]:
    what, project = ("flavor_id", "tenant_id") if kind == FLAVOR else (
        "volume_type_id", "project_id",
    )  # fmt: skip
    return [{what: offer.id, project: each} for each in offer.projects]


def _act(call: Call, kind: str, offer_id: str) -> Answer:
    grant, revoke, name = _VERBS[kind]
    body = call.body or {}
    verb = grant if grant in body else revoke
    project = (body.get(verb) or {}).get(name)
    if project is None:
        raise Refusal(400, "There is no such action.")
    with call.cloud.change():
        found = _found(call, kind, offer_id)
        if kind == FLAVOR and project not in call.cloud.projects:
            raise Refusal(400, f"Project ID {project} is not a valid project.")
        if kind == TYPE and found.is_public:
            raise Refusal(
                400,
                "Invalid volume type: Type access modification is not applicable to public volume "
                "type.",
            )
        pair = f"{offer_id} / {project} combination"
        if verb == grant and project in found.projects:
            raise Refusal(409, f"{kind} access for {pair} already exists."
                          if kind == TYPE
                          else f"Flavor access already exists for flavor {offer_id} and project "
                          f"{project} combination.")  # fmt: skip
        if verb == revoke and project not in found.projects:
            raise Refusal(404, f"{kind} access not found for {pair}.")
        if not call.ignores_writes:
            if verb == grant:
                found.projects.append(project)
            else:
                found.projects.remove(project)
        if kind == TYPE:
            return Answer(202)
        return Answer(200, {_ACCESS[kind]: _rows(kind, found)})
