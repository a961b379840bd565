"""Whether a cloud has a project of a name already, as far as its last listing says.

Web processes hold no credential to ask; the worker that makes the project asks anyway.
"""

from datetime import datetime

from django.utils.translation import gettext as _

from portal.lib.errors import Invalid
from portal.lib.moments import age_words
from projects.actions.project_names import refuse_taken
from projects.models import Project
from quotas.models import KnownName


def refuse_name(name: str, now: datetime, *, but: Project | None = None) -> None:
    """Raise Invalid where a project of ours has the name, or one of a cloud that is not ours.

    Also where the person may not see that project: the clouds would refuse the name anyway.
    """
    refuse_taken(name, but=but)
    known = KnownName.objects.filter(name=name.casefold(), is_ours=False)
    found = known.select_related("identity").order_by("pk").first()
    if found is not None:
        words = {
            "name": name,
            "cloud": found.identity.name,
            "age": age_words(found.seen_at, now),
        }
        raise Invalid({
            "name": [
                _(
                    "%(cloud)s has a project called %(name)s that is not ours (seen %(age)s); "
                    "choose another name."
                )
                % words
            ]
        })  # fmt: skip
