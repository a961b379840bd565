"""What an address says about a new request: the forms that tickets and launch dialogs link to.

`?project=…&zone=geneva.compute-a&cores=+64` fills a row. What it does not understand is told
on the page; nothing is ever sent by opening it.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.amounts import BYTES, MAX_AMOUNT, input_text
from quotas.forms import DATE, PREFIX, typed_amounts
from quotas.models import Region, Zone
from quotas.queries.named import Named, Names

# What the page takes beside amounts.
KNOWN = ("project", "region", "zone", "again", "for", "reason", "until")
MOST_SENTENCES, MOST_SHOWN = 10, 60
_PLAIN = re.compile(r"(?P<sign>[+\-\u2212]?)(?P<number>[0-9]{1,18})")


@dataclass
class Link:
    """`typed` as in the form; `wrong`: a sentence for each thing that was not understood."""

    typed: dict[str, str] = field(default_factory=dict)
    region: str = ""
    initial: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """At most ten, and how many more there are."""
        left = len(self.wrong) - MOST_SENTENCES
        if left <= 0:
            return self.wrong
        more = ngettext(
            "%(count)s more thing of the link was not understood.",
            "%(count)s more things of the link were not understood.", left,
        ) % {"count": left}  # fmt: skip
        return [*self.wrong[:MOST_SENTENCES], more]


def read_link(query: QueryDict, regions: Collection[Region]) -> Link:
    """What the query of the address fills in; no name of it is left out in silence.

    regions: those with something to ask for.
    """
    link = Link(typed=typed_amounts(query), region=query.get("region", ""))
    is_known = not link.region or any(each.slug == link.region for each in regions)
    if not is_known:
        words = {"region": shown(link.region)}
        link.wrong.append(_("There is no region “%(region)s” to ask for anything in.") % words)
        link.region = ""
    _read_rest(link, query)
    named = [key for key in query if key not in KNOWN and not key.startswith(PREFIX)]
    if named or "zone" in query:
        _read_names(link, query, named, is_known=is_known)
    return link


def _read_rest(link: Link, query: QueryDict) -> None:
    if reason := query.get("reason", ""):
        link.initial["reason"] = "\n".join(seen(each) for each in reason.splitlines())
    if until := query.get("until", ""):
        try:
            link.initial |= {"until": DATE, "until_on": date.fromisoformat(until)}
        except ValueError:
            words = {"text": shown(until)}
            link.wrong.append(_("“%(text)s” is no day. Write it as 2027-03-31.") % words)


def _read_names(link: Link, query: QueryDict, named: list[str], *, is_known: bool) -> None:
    """is_known: whether the region is well, which names need that do not say their own."""
    names = Names()
    zone, is_well = _zone(link, query, names)
    is_known = is_known and is_well
    for key in named:
        texts = query.getlist(key)
        if not is_known and "." not in key:
            words = {"name": shown(key)}
            link.wrong.append(_("“%(name)s” was not filled in: its zone is not known.") % words)
        elif (found := _one(link, names.find(key, zone, link.region), key, zone)) is not None:
            _fill(link, found, key, texts)
    if not link.region and (first := next(iter(link.typed), "")):
        link.region = first.partition(".")[0]


def _zone(link: Link, query: QueryDict, names: Names) -> tuple[Zone | None, bool]:
    """(the zone that is named, whether that is well: none is named, or one that there is)."""
    texts = [each for each in query.getlist("zone") if each]
    if not texts:
        return None, True
    found = names.zones(texts[0], link.region)
    words = {"zone": shown(texts[0])}
    if len(texts) > 1:
        link.wrong.append(_("A link names one zone; for others write region.zone.name=amount."))
    elif not found:
        link.wrong.append(_("There is no zone “%(zone)s” to ask for anything in.") % words)
    elif len(found) > 1:
        link.wrong.append(_("There are several zones “%(zone)s”: write it as region.zone.") % words)
    else:
        link.region = found[0].region.slug
        return found[0], True
    return None, False


def _one(link: Link, found: list[Named], key: str, zone: Zone | None) -> Named | None:
    """The only one that a name means; else it is told."""
    words = {"name": shown(key), "zone": str(zone) if zone else ""}
    if len(found) == 1:
        return found[0]
    if found:
        sentence = _("“%(name)s” is there in several zones: name one, as zone=region.zone.")
    elif zone is not None:
        sentence = _("Nothing that can be asked for in %(zone)s is called “%(name)s”.")
    else:
        sentence = _("Nothing that can be asked for is called “%(name)s”.")
    link.wrong.append(sentence % words)
    return None


def _fill(link: Link, found: Named, key: str, texts: list[str]) -> None:
    slug = found.offering.slug
    if len(texts) > 1 or slug in link.typed:
        words = {"name": shown(key), "offering": slug}
        link.wrong.append(
            _("“%(name)s”: the link says more than once what %(offering)s should be.") % words
        )
        return
    # An address has a space for a plus that nobody quoted.
    text = f"+{texts[0].lstrip()}" if texts[0].startswith(" ") else texts[0]
    link.typed[slug] = _in_own_units(seen(text), found)


def _in_own_units(text: str, found: Named) -> str:
    """`gigabytes=100` is a hundred of the service's own units; whoever says a unit means that."""
    plain = _PLAIN.fullmatch(text.strip())
    if plain is None or not found.own_unit or found.offering.resource.unit != BYTES:
        return text
    amount = int(plain["number"]) * found.own_unit
    return plain["sign"] + input_text(amount, BYTES) if amount <= MAX_AMOUNT else text


def seen(text: str) -> str:
    """With a sign in the place of each character that cannot be seen."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_hidden(each) else each for each in text)


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char)[0] == "C" or char in "\u2028\u2029"


def shown(text: str) -> str:
    """A part of an address as a sentence may hold it: short, and nothing that cannot be seen."""
    clean = seen(text)
    return clean if len(clean) <= MOST_SHOWN else clean[: MOST_SHOWN - 1] + "…"
