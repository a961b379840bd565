"""The shape of what people choose about mail: a way for each kind of notice, and an hour."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from projects.outgoing.mail_choices import Wanted
from projects.outgoing.mail_kinds import GROUPS, usual
from projects.states import MailWay, NoticeKind

SITE = ""


class MailForm(forms.Form):
    """One select for each kind, in groups; the first choice of each is what the site does."""

    digest_hour = forms.ChoiceField(label=_("The digest comes at"), required=False)

    def __init__(self, data: Any = None, *, wanted: Wanted) -> None:
        super().__init__(data, initial={"digest_hour": wanted.own_hour_text})
        self.fields["digest_hour"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            (SITE, format_lazy(_("as the site: {hour}:00"), hour=settings.MAIL_DIGEST_HOUR)),
            *((str(each), f"{each}:00") for each in range(24)),
        ]
        for kind in NoticeKind:
            self.fields[name_of(kind)] = forms.ChoiceField(
                label=str(usual(kind).words),
                required=False,
                initial=wanted.chosen.get(kind, SITE),
                choices=[
                    (SITE, format_lazy(_("as usual: {way}"), way=usual(kind).way.label)),
                    *MailWay.choices,
                ],
            )

    def groups(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """[(heading, its fields)] as the page shows them."""
        return [(words, [self[name_of(each)] for each in kinds]) for words, kinds in GROUPS]

    def ways(self) -> dict[str, str]:
        """{kind: way} of what is not as usual."""
        found = {str(each): self.cleaned_data.get(name_of(each), SITE) for each in NoticeKind}
        return {kind: way for kind, way in found.items() if way}

    def hour(self) -> int | None:
        text = self.cleaned_data.get("digest_hour", SITE)
        return int(text) if text else None


def name_of(kind: str) -> str:
    """The name of a kind's field."""
    return f"kind-{kind.replace(' ', '-')}"
