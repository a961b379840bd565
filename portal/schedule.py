"""How often workers look for what nobody woke them for, or what time alone changes."""

Entry = dict[str, object]


def beat_schedule(
    *, sweep: float, observe: float, calendar: float, directory: float | None
) -> dict[str, Entry]:
    """Celery's schedule; intervals in seconds. directory: None where there is none."""
    return {
        "sweep-due": _every(sweep, "quotas.tasks.sweep_due"),
        "sweep-observe": _every(observe, "quotas.tasks.sweep_observe"),
        # Who was not found in an identity service, a few at a time; each less and less often.
        "observe-missing": _every(30.0, "quotas.tasks.observe_missing"),
        # What is too old for any chart.
        "sweep-old-usage": _every(3_600.0, "quotas.tasks.sweep_old_usage"),
        # What nobody was woken for, as a role whose time ran out.
        "sweep-identities": _every(300.0, "quotas.tasks.sweep_identities"),
        "sweep-jobs": _every(10.0, "quotas.tasks.sweep_jobs"),
        "sweep-remedies": _every(30.0, "quotas.tasks.sweep_remedies"),
        # What marks say is begun right after their commit; this finds what was left of them.
        "sweep-marks": _every(10.0, "quotas.tasks.sweep_marks"),
        # Only for lines that nobody in force could decide; every other change routes at once.
        "sweep-routes": _every(30.0, "quotas.tasks.sweep_routes"),
        # Whatever time alone changes, as what is consumed of a window, is looked at once a day.
        "sweep-all-routes": _every(86_400.0, "quotas.tasks.sweep_all_routes"),
        "sweep-waiting": _every(60.0, "quotas.tasks.sweep_waiting"),
        # Each end is told of once; more than once a day, as a beat that was restarted forgets.
        "sweep-ends": _every(21_600.0, "quotas.tasks.sweep_ends"),
        # What people who left still hold, and projects that nobody owns any more.
        "sweep-leavers": _every(calendar, "quotas.tasks.sweep_leavers"),
        **(
            {"read-directory": _every(directory, "quotas.tasks.read_directory")}
            if directory is not None
            else {}
        ),
        "sweep-calendar": _every(calendar, "quotas.tasks.sweep_calendar"),
        "sweep-emptying": _every(calendar, "quotas.tasks.sweep_emptying"),
        # For charts: today's figures are as old as this at most.
        "sweep-usage": _every(900.0, "quotas.tasks.sweep_usage"),
        # By the peaks of days, so that more often would find the same.
        "sweep-unused": _every(21_600.0, "quotas.tasks.sweep_unused"),
        # A moment that somebody chose is kept within this.
        "sweep-announcements": _every(15.0, "quotas.tasks.sweep_announcements"),
        # What is too old counts as none anyway: this only keeps the table small.
        "sweep-kept-answers": _every(3_600.0, "quotas.tasks.sweep_kept_answers"),
        # Reads the record for webhooks, and wakes those who call them.
        "sweep-webhooks": _every(sweep, "projects.tasks.sweep_webhooks"),
        "sweep-old-calls": _every(3_600.0, "projects.tasks.sweep_old_calls"),
        # Reads notices into letters, and wakes those who send them.
        "sweep-mail": _every(sweep, "quotas.tasks.sweep_mail"),
        "sweep-old-mail": _every(3_600.0, "quotas.tasks.sweep_old_mail"),
        # Sessions that are over hold nobody in; this only keeps the table small.
        "sweep-sessions": _every(21_600.0, "projects.tasks.sweep_sessions"),
    }


def _every(seconds: float, task: str) -> Entry:
    """`expires`: sweeps that piled up while the workers were away would all do the same."""
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 1.0)}}
