"""What may be granted: judged on what the decider saw, and on what was asked for."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Invalid, Stale
from quotas.models import RequestLine

from .bench import Bench
from .booking import Accounts


def check_seen(
    bench: Bench,
    lines: list[RequestLine],
    accounts: Accounts,
    seen: Mapping[int, int],
    version: int,
) -> None:
    """The decider must have seen the quota as it is: authority is judged on the difference."""
    bench.check_version(version)
    missing = [line.pk for line in lines if line.pk not in seen]
    if missing:
        raise Invalid({"seen": [_("Say which quota you saw for each line.")]})
    moved = {
        line.pk: accounts.quota[line.offering_id].balance
        for line in lines
        if accounts.quota[line.offering_id].balance != seen[line.pk]
    }
    if moved:
        first = bench.lines[next(iter(moved))].offering
        words = {
            "resource": first.resource.name,
            "zone": first.zone.name,
            "now": format_amount(moved[next(iter(moved))], first.resource.quota_unit),
        }
        raise Stale(
            _(
                "The quota of %(resource)s in %(zone)s is %(now)s by now. Nothing of yours was "
                "booked; look again, then decide."
            )
            % words,
            figures={str(line_id): balance for line_id, balance in moved.items()},
            version=bench.request.version,
        )


def check_granted(
    bench: Bench,
    lines: list[RequestLine],
    granted: Mapping[int, int],
    accounts: Accounts,
) -> None:
    """Between the quota now and what was asked for, in steps; all in full if it is all or none."""
    errors: dict[str, list[str]] = {}
    for line in lines:
        sentence = _grant_error(line, granted[line.pk], accounts.quota[line.offering_id].balance)
        if sentence:
            errors[f"granted.{line.pk}"] = [sentence]
    if errors:
        raise Invalid(errors)
    bench.check_all_or_nothing(lines)
    if bench.request.all_or_nothing:
        trimmed = next((line for line in lines if granted[line.pk] != line.wanted), None)
        if trimmed is not None:
            raise Invalid({
                f"granted.{trimmed.pk}": [
                    _("This request is all or nothing: grant each line as asked, or none.")
                ]
            })  # fmt: skip


def _grant_error(line: RequestLine, amount: int, balance: int) -> str:
    resource = line.offering.resource
    low, high = sorted((balance, line.wanted))
    words = {
        "resource": resource.name,
        "zone": line.offering.zone.name,
        "low": format_amount(low, resource.quota_unit),
        "high": format_amount(high, resource.quota_unit),
        "step": format_amount(resource.step, resource.quota_unit),
    }
    if amount == balance:
        return _("%(resource)s in %(zone)s would stay as it is: decline the line instead.") % words
    if not low <= amount <= high:
        return (
            _(
                "%(resource)s in %(zone)s: grant between %(low)s, the quota now, and %(high)s, "
                "what was asked for."
            )
            if line.wanted >= balance
            else _(
                "%(resource)s in %(zone)s: grant between %(low)s, what was asked for, and "
                "%(high)s, the quota now."
            )
        ) % words
    if amount % resource.step:
        return _("%(resource)s in %(zone)s is given in steps of %(step)s.") % words
    return ""
