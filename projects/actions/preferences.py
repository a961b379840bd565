"""What a person may set about themselves: the language and the time zone of their pages."""

from zoneinfo import available_timezones

from django.conf import settings
from django.utils.translation import gettext as _

from portal.lib.errors import Invalid
from projects.models import User


def set_preferences(*, language: str, time_zone: str, actor: User) -> None:
    """Remember how the person wants to read; "" leaves it to the browser and the site.

    Raises Invalid for a language the site does not speak or a zone nobody knows. Not an
    act on anything of the site, so no event is written.
    """
    errors: dict[str, list[str]] = {}
    if language and language not in dict(settings.LANGUAGES):
        errors["language"] = [_("Remit does not speak this language yet.")]
    if time_zone and time_zone not in available_timezones():
        errors["time_zone"] = [_("There is no such time zone.")]
    if errors:
        raise Invalid(errors)
    User.objects.filter(pk=actor.pk).update(language=language, time_zone=time_zone)
    actor.language, actor.time_zone = language, time_zone
