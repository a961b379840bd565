"""Who may do a verb on people and projects: pure one-liners on a Viewer and roles."""

from collections.abc import Collection

from projects.models import Delegation, Project
from projects.queries.viewers import Viewer
from projects.queries.webhooks import LISTENING
from projects.states import REPAIRING, ROLES_ABOVE_READER, ROLES_THAT_ASK, Power


def may_ask(roles: Collection[str]) -> bool:
    """Ask for quota for a project: its owners and managers."""
    return any(role in ROLES_THAT_ASK for role in roles)


def may_ask_for_others(viewer: Viewer, project: Project) -> bool:
    """Ask in the name of those who may ask for the project themselves."""
    return viewer.holds(Power.ASK_FOR_OTHERS, project.unit.path)


def asks_for_others(viewer: Viewer) -> bool:
    """Holds that power somewhere, as people at a service desk do."""
    return any(Power.ASK_FOR_OTHERS in each.powers for each in viewer.delegations)


def may_listen_to_unit(viewer: Viewer, unit_path: str) -> bool:
    """Have a webhook for a unit: who decides, funds or audits there."""
    return any(viewer.holds(each, unit_path) for each in LISTENING)


def has_an_interest(roles: Collection[str]) -> bool:
    """Holds a role above reader, and so must neither decide nor fund."""
    return any(role in ROLES_ABOVE_READER for role in roles)


def may_decide_somewhere(viewer: Viewer) -> bool:
    """Has a queue at all."""
    return bool(viewer.paths(Power.DECIDE_QUOTA))


def may_decide_in(viewer: Viewer, project: Project) -> bool:
    """Holds `decide quota` for the project's unit (bounds are another question)."""
    return viewer.holds(Power.DECIDE_QUOTA, project.unit.path)


def may_operate(viewer: Viewer) -> bool:
    """Repair everything, and what nobody else may."""
    return viewer.is_operator


def may_repair_somewhere(viewer: Viewer) -> bool:
    """Holds a power of those who repair (which zones is a question for quotas.queries)."""
    return bool(viewer.paths(*REPAIRING))


def may_read_operations(viewer: Viewer) -> bool:
    """Read about endpoints and deliveries at all; repairers within their zones only."""
    return viewer.sees_everything or may_repair_somewhere(viewer)


def may_read_mail(viewer: Viewer) -> bool:
    """Read how mail is sent, to whom, and what mail servers say of it."""
    return viewer.sees_everything


def may_read_people(viewer: Viewer) -> bool:
    """Read who is at the site, what each holds, and what the directory says."""
    return viewer.sees_everything


def may_see_orphans(viewer: Viewer) -> bool:
    """Read which projects nobody owns any more, where one decides projects."""
    return viewer.sees_everything or bool(viewer.paths(Power.DECIDE_PROJECTS))


def may_see_figures(viewer: Viewer, unit_path: str) -> bool:
    """Envelopes and zone fill as figures; everybody else gets a word."""
    return viewer.sees_everything or any(
        unit_path.startswith(path)
        for path in viewer.paths(Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES, Power.AUDIT)
    )


def may_hand_on(viewer: Viewer) -> bool:
    """Holds a delegation of which a part can be handed to somebody else."""
    return any(each.depth > 0 for each in viewer.delegations)


def may_choose_groups(viewer: Viewer) -> bool:
    """Find any group by its name, with how many are in it: who hands on looks for one."""
    return viewer.sees_everything or may_hand_on(viewer)


def may_oversee(viewer: Viewer) -> bool:
    """Look after who decides in a subtree: who audits there, or decides and can hand that on."""
    return viewer.sees_everything or any(oversees(each) for each in viewer.delegations)


def oversees(delegation: Delegation) -> bool:
    """Whether the holder looks after who decides in its subtree."""
    powers = delegation.powers
    return Power.AUDIT in powers or (Power.DECIDE_QUOTA in powers and delegation.depth > 0)


def may_revoke(viewer: Viewer, delegation: Delegation) -> bool:
    """Handed it on, or holds a link above it; a root is the operator's command's to end."""
    if viewer.place is not None and not viewer.reaches(delegation.unit.path):
        return False
    above = {each.pk for each in viewer.delegations} & set(delegation.ancestors)
    return delegation.grantor_id == viewer.user.pk or bool(above)
