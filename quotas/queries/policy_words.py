"""What a rule says, and what it says of a line, as sentences for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.amounts import format_amount
from projects.models import ProjectKind
from quotas.models import Decision, Offering, PolicyVersion
from quotas.states import Direction

from .conditions import INNER, Condition, Finding, Verdict
from .outlooks import Outlook


def scope_words(version: PolicyVersion) -> str:
    """What it is about: "Increases of vCPU in compute-a", "Decreases of anything"."""
    words = {
        "resource": version.resource.name if version.resource else _("anything"),
        "zone": version.zone.name if version.zone else "",
    }
    if version.direction == Direction.DECREASE:
        return (
            _("Decreases of %(resource)s in %(zone)s") % words
            if version.zone
            else _("Decreases of %(resource)s") % words
        )
    if version.zone:
        return _("Increases of %(resource)s in %(zone)s") % words
    return _("Increases of %(resource)s") % words


def kind_word(kind: object) -> str:
    """A kind of project inside a sentence."""
    return _("personal") if kind == ProjectKind.PERSONAL else _("shared")


def condition_words(version: PolicyVersion) -> list[str]:
    """Each condition as a line of a list; none: always."""
    found = []
    if version.project_kind:
        words = {"kind": kind_word(version.project_kind)}
        found.append(_("for a project that is %(kind)s") % words)
    if version.most_percent is not None:
        found.append(
            _("by at most %(percent)s\u00a0%% of the quota then")
            % {"percent": version.most_percent}
        )
    if version.most_amount is not None:
        unit = version.resource.unit if version.resource else ""
        most = format_amount(version.most_amount, unit)
        found.append(_("by at most %(most)s") % {"most": most})
    if version.every_days is not None:
        found.append(
            ngettext("at most once in %(days)s day", "at most once in %(days)s days",
                     version.every_days) % {"days": version.every_days}
        )  # fmt: skip
    for percent, text in (
        (
            version.envelope_left_percent,
            _("if more than %(percent)s\u00a0%% of the envelope is left afterwards"),
        ),
        (
            version.zone_left_percent,
            _("if more than %(percent)s\u00a0%% of the zone is left afterwards"),
        ),
        (
            version.usage_above_percent,
            _("if more than %(percent)s\u00a0%% of the quota was in use in the last 30 days"),
        ),
    ):
        if percent is not None:
            found.append(text % {"percent": percent})
    return found


def version_words(version: PolicyVersion) -> str:
    """The whole rule as one sentence."""
    conditions = condition_words(version)
    if not conditions:
        return _("%(scope)s, always.") % {"scope": scope_words(version)}
    return f"{scope_words(version)}, {', '.join(conditions)}."


def finding_words(finding: Finding, offering: Offering, *, with_figures: bool = True) -> str:
    """What one condition says of a line; without figures for who may not see those of units."""
    if finding.is_unknown:
        return _UNKNOWN[finding.condition]()
    if finding.condition in INNER and not with_figures:
        return _in_a_word(finding)
    return _SAYS[finding.condition](finding, offering.resource.unit)


def verdict_words(
    verdict: Verdict, offering: Offering, *, with_figures: bool = True
) -> list[tuple[bool, str]]:
    """[(whether it holds, the sentence)] of each condition; a rule without any always holds."""
    if not verdict.findings:
        return [(True, _("It applies to every one."))]
    return [
        (each.holds, finding_words(each, offering, with_figures=with_figures))
        for each in verdict.findings
    ]


@dataclass(frozen=True)
class RuleSays:
    """What a rule would do with a line, for people: the sentences, with what holds first."""

    version: PolicyVersion
    grants: bool
    findings: tuple[tuple[bool, str], ...]


def outlook_words(
    outlook: Outlook, offering: Offering, *, with_figures: bool = True
) -> tuple[RuleSays, ...]:
    """The rule that would grant a line, or else each that is about it and does not."""
    rule = outlook.rule
    return tuple(
        RuleSays(
            version=each.version,
            grants=rule is not None,
            findings=(
                *verdict_words(each, offering, with_figures=with_figures),
                *_obstacle(outlook.obstacles.get(each.version.pk or 0)),
            ),
        )
        for each in outlook.verdicts
        if rule is None or each.version.pk == rule.pk
    )


def _obstacle(word: str | None) -> list[tuple[bool, str]]:
    if word == "authority":
        return [(False, _("Whoever it stands on may not grant this now."))]
    if word == "room":
        return [(False, _("There is no room for so much."))]
    if word == "together":
        return [(False, _("All or nothing is granted by one rule for all lines, or by people."))]
    return []


def stored_words(
    decision: Decision, offerings: Mapping[str, Offering], *, with_figures: bool
) -> dict[int, list[str]]:
    """{line id: what the rule said of it} from the proof of a decision that a rule made."""
    found: dict[int, list[str]] = {}
    for line in decision.snapshot.get("lines", ()):
        offering = offerings.get(line["offering"])
        if offering is not None and "verdict" in line:
            found[line["line"]] = [
                finding_words(Finding.from_json(each), offering, with_figures=with_figures)
                for each in line["verdict"]
            ]
    return found


def share(part: int, whole: int) -> str:
    """ "12.5": per cent with one digit where there is one, rounded down as bounds are exact."""
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)


def _kind(finding: Finding, unit: str) -> str:
    words = {
        "kind": kind_word(finding.figure),
        "wanted": kind_word(finding.bound),
    }
    return _("The project is %(kind)s; the rule is for those that are %(wanted)s.") % words


def _percent(finding: Finding, unit: str) -> str:
    if not finding.of:
        return _("The quota now is 0, so that nothing is a share of it.")
    words = {"share": share(int(finding.figure or 0), finding.of), "bound": finding.bound}
    return _("It adds %(share)s\u00a0%% of the quota now; %(bound)s\u00a0%% at most.") % words


def _amount(finding: Finding, unit: str) -> str:
    words = {
        "figure": format_amount(int(finding.figure or 0), unit),
        "bound": format_amount(int(finding.bound), unit),
    }
    return _("It adds %(figure)s; %(bound)s at most.") % words


def _every(finding: Finding, unit: str) -> str:
    words = {"days": finding.figure, "bound": finding.bound}
    if finding.figure is None:
        return _("No rule granted it before; once in %(bound)s days.") % words
    return (
        ngettext(
            "A rule granted it %(days)s day ago; once in %(bound)s days.",
            "A rule granted it %(days)s days ago; once in %(bound)s days.",
            int(finding.figure),
        )
        % words
    )


def _left_words(finding: Finding) -> dict[str, object]:
    part = int(finding.figure or 0)
    return {
        "share": share(part, finding.of or 1) if part > 0 else "0",
        "bound": finding.bound,
    }


def _envelope(finding: Finding, unit: str) -> str:
    return _(
        "Of the envelope %(share)s\u00a0%% would be left; it must be more than %(bound)s\u00a0%%."
    ) % _left_words(finding)


def _zone(finding: Finding, unit: str) -> str:
    return _(
        "Of the zone %(share)s\u00a0%% would be left; it must be more than %(bound)s\u00a0%%."
    ) % _left_words(finding)


def _usage(finding: Finding, unit: str) -> str:
    return _(
        "%(share)s\u00a0%% of the quota was in use in the last 30 days; it must be more than "
        "%(bound)s\u00a0%%."
    ) % _left_words(finding)


def _in_a_word(finding: Finding) -> str:
    """The rule's condition and whether it holds; how much is left is for who decides there."""
    words = {"bound": finding.bound}
    if finding.condition == Condition.ENVELOPE:
        if finding.holds:
            return _("Enough of the envelope would be left: more than %(bound)s\u00a0%%.") % words
        return _("Too little of the envelope would be left: %(bound)s\u00a0%% or less.") % words
    if finding.holds:
        return _("Enough of the zone would be left: more than %(bound)s\u00a0%%.") % words
    return _("Too little of the zone would be left: %(bound)s\u00a0%% or less.") % words


_SAYS = {
    Condition.KIND: _kind,
    Condition.PERCENT: _percent,
    Condition.AMOUNT: _amount,
    Condition.EVERY: _every,
    Condition.ENVELOPE: _envelope,
    Condition.ZONE: _zone,
    Condition.USAGE: _usage,
}
_UNKNOWN = {
    Condition.ENVELOPE: lambda: _("How much of the envelope is left is not known."),
    Condition.ZONE: lambda: _("How much of the zone is left is not known."),
    Condition.USAGE: lambda: _("How much of the quota is in use is not known."),
}
