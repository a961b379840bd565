"""The ledger to be read: accounts that one may see, and why a unit's have what they have."""

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from quotas.models import Account, Holder
from quotas.queries.changes import changed_accounts, changed_transfers
from quotas.queries.history import transfers_of
from quotas.queries.seen_accounts import visible_accounts

from .asked import filters, one, viewer_in
from .describe import LIST, READ, operation
from .doors import api_view
from .fields import Filters, Slug
from .pages import answer_page, page_of
from .shapes.ledger import LedgerAccountSerializer, TransferSerializer
from .units import reader_of_figures

TAG = "ledger"


class AccountFilters(Filters):
    holder = serializers.ChoiceField(choices=Holder.values, required=False)
    unit = Slug(required=False, help_text="The envelopes of this unit.")
    project = Slug(required=False, help_text="The quota of this project.")
    offering = serializers.CharField(required=False, max_length=200)


class UnitTransferFilters(Filters):
    offering = serializers.CharField(required=False, max_length=200)


@shows("own")
@operation(
    "list_all_accounts", "List the accounts whose balance you may see",
    answers=page_of(LedgerAccountSerializer, "id", "-id", changed=changed_accounts),
    refuses=LIST, tag=TAG,
    filters=[AccountFilters],
    about="Quota of the projects that you see, envelopes of the units whose figures you see, and "
    "the pool for who decides, funds or audits. Of each offering all accounts add up to zero.",
)  # fmt: skip
@api_view(["GET"])
def account_list(request: Request) -> HttpResponseBase:
    asked = filters(request, AccountFilters)
    rows = visible_accounts(viewer_in(request)).select_related("offering", "unit", "project")
    for name, column in (
        ("holder", "holder"), ("unit", "unit__slug"), ("project", "project__slug"),
        ("offering", "offering__slug"),
    ):  # fmt: skip
        if name in asked:
            rows = rows.filter(**{column: asked[name]})
    return answer_page(request, rows, LedgerAccountSerializer)


@shows("project")
@operation("get_account", "Show an account", answers=LedgerAccountSerializer, refuses=READ, tag=TAG)
@api_view(["GET"])
def account_detail(request: Request, pk: int) -> Response:
    rows = visible_accounts(viewer_in(request)).select_related("offering", "unit", "project")
    return Response(LedgerAccountSerializer(one(rows, pk=pk)).data)


@shows("figures")
@operation(
    "list_unit_transfers", "List why a unit's envelopes have what they have",
    answers=page_of(TransferSerializer, "-id", "id", changed=changed_transfers),
    refuses=(*LIST, 403, 404), tag=TAG,
    filters=[UnitTransferFilters],
    about="Every movement into and out of them, the newest first, with what was behind it.",
)  # fmt: skip
@api_view(["GET"])
def unit_transfers(request: Request, slug: str) -> HttpResponseBase:
    asked = filters(request, UnitTransferFilters)
    _viewer, unit = reader_of_figures(request, slug)
    rows = transfers_of(Account.objects.filter(unit=unit))
    if "offering" in asked:
        rows = rows.filter(offering__slug=asked["offering"])
    return answer_page(request, rows, TransferSerializer)
