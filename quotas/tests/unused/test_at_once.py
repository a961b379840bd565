"""Two clicks at once: one effect, by threads on a database of their own."""

from datetime import timedelta

from django.core.management import call_command

from portal.lib.errors import Conflict, Stale
from quotas.actions.return_undos import undo_return
from quotas.actions.returns import return_quota
from quotas.models import QuotaReturn
from quotas.queries.verifying import verify
from quotas.tests.site import NOW, Site
from quotas.tests.test_lives import give
from quotas.tests.threads import at_once
from quotas.tests.using import read

DAY = timedelta(days=1)


def test_returned_twice_and_undone_twice_at_once_is_each_done_once(committed_site: Site) -> None:
    site = committed_site
    give(site, site.vcpu, 100)
    read(site.project, "cores", 10, NOW)

    def give_back() -> QuotaReturn:
        return return_quota(
            project=site.project, offering=site.vcpu, amount=40, seen=100, actor=site.alice,
            now=NOW + DAY,
        )  # fmt: skip

    results = at_once([give_back, give_back])
    (made,) = [each for each in results if isinstance(each, QuotaReturn)]
    assert [type(each) for each in results if each is not made] == [Stale]
    assert site.quota(site.vcpu) == 60

    def undo() -> QuotaReturn:
        return undo_return(quota_return=made, actor=site.alice, now=NOW + 2 * DAY)

    results = at_once([undo, undo])
    assert sorted(type(each).__name__ for each in results) == [
        Conflict.__name__, QuotaReturn.__name__
    ]  # fmt: skip
    assert site.quota(site.vcpu) == 100
    call_command("audit_ledger")
    assert list(verify()) == []
