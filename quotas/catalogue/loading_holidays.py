"""Making the site's holidays as its file says: a list that is complete where it is given.

Days that have passed stay, as they say how long something waited.
"""

from datetime import datetime

from django.utils import timezone

from projects.models import Holiday

from .changes import ADDED, CHANGED, RETIRED, Changes
from .site import Site


def load_holidays(site: Site, changes: Changes, now: datetime) -> None:
    if site.holidays is None:
        return
    held = {each.on: each for each in Holiday.objects.all()}
    for on, said in site.holidays.items():
        row = held.get(on)
        if row is None:
            Holiday.objects.create(on=on, name=said.name)
            changes.add(ADDED, "holiday", str(on), said.name)
        elif row.name != said.name:
            Holiday.objects.filter(pk=row.pk).update(name=said.name)
            changes.add(CHANGED, "holiday", str(on), f"name {row.name!r} → {said.name!r}")
    today = timezone.localdate(now)
    for on, row in held.items():
        if on >= today and on not in site.holidays:
            row.delete()
            changes.add(RETIRED, "holiday", str(on), row.name)
