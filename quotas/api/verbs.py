"""What is done to a request: each verb is one POST and one action, as on the pages."""

from collections.abc import Callable, Mapping

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Invalid
from projects.queries.viewers import Viewer
from quotas.actions import decide, drafts, requests
from quotas.actions.wishes import check_lines
from quotas.models import Decision, QuotaRequest, RequestLine
from quotas.queries.preview import preview

from .asked import (
    askable_project,
    body,
    changeable_request,
    decidable_request,
    one,
    own_draft,
    viewer_in,
    visible_project,
    visible_request,
)
from .describe import WRITE, Etag, operation
from .doors import api_view
from .dry_run import plan_of_asking, plan_of_deciding
from .examples import AMEND, ANSWER, APPROVE, DECISION, DECLINE, PREVIEW, RETURN
from .rehearsals import wants_plan
from .requests import answer_request, proof_for, visible_decisions
from .shapes.dry_run import RequestPlan
from .shapes.ledger import PreviewSerializer
from .shapes.requests import (
    AmendInput,
    AnswerInput,
    ApproveInput,
    CommentInput,
    CommentSerializer,
    DecisionSerializer,
    NothingInput,
    PreviewInput,
    QuotaRequestSerializer,
    RefuseInput,
)
from .versions import version_matched, version_seen

TAG = "requests"


@shows("draft")
@operation(
    "submit_draft", "Send a draft", method="POST", body=NothingInput,
    answers=QuotaRequestSerializer,
    refuses=WRITE, tag=TAG, about="Checked as if it were written now.", etag=Etag.CHECKS,
    plan=RequestPlan,
)  # fmt: skip
@api_view(["POST"])
def request_submit(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    draft = own_draft(viewer, pk)
    body(request, NothingInput)
    seen = version_matched(request, draft.version)

    def act() -> QuotaRequest:
        return drafts.submit(draft=draft, version=seen, actor=viewer.user, now=viewer.now)

    return _answer_asking(request, viewer, draft, act)


@shows("ask")
@operation(
    "amend_request", "Change what open lines ask for", method="POST", body=AmendInput,
    answers=QuotaRequestSerializer, refuses=WRITE, tag=TAG, sent=AMEND,
    etag=Etag.NEEDS, plan=RequestPlan,
)  # fmt: skip
@api_view(["POST"])
def request_amend(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = changeable_request(viewer, pk)
    sent = body(request, AmendInput)

    def act() -> QuotaRequest:
        return requests.amend(
            quota_request=found, wanted=_by_line(found, sent["lines"]),
            reason=sent.get("reason", found.reason), actor=viewer.user, now=viewer.now,
            version=version_seen(request, sent.get("version"), found.version),
        )  # fmt: skip

    return _answer_asking(request, viewer, found, act)


@shows("ask")
@operation(
    "answer_request", "Answer the question of a returned request", method="POST",
    body=AnswerInput, answers=QuotaRequestSerializer, refuses=WRITE, tag=TAG, sent=ANSWER,
    etag=Etag.NEEDS, plan=RequestPlan,
    about="Its lines are open again, with new amounts or as they were.",
)  # fmt: skip
@api_view(["POST"])
def request_answer(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = changeable_request(viewer, pk)
    sent = body(request, AnswerInput)

    def act() -> QuotaRequest:
        return requests.answer(
            quota_request=found, text=sent["text"], wanted=_by_line(found, sent["lines"]),
            version=version_seen(request, sent.get("version"), found.version),
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip

    return _answer_asking(request, viewer, found, act)


@shows("ask")
@operation(
    "withdraw_request", "Take back every line that waits", method="POST", body=NothingInput,
    answers=QuotaRequestSerializer, refuses=WRITE, tag=TAG, about="What was decided stays.",
    etag=Etag.CHECKS,
)  # fmt: skip
@api_view(["POST"])
def request_withdraw(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = changeable_request(viewer, pk)
    body(request, NothingInput)
    seen = version_matched(request, found.version)
    requests.withdraw(quota_request=found, version=seen, actor=viewer.user, now=viewer.now)
    return answer_request(viewer, pk)


@shows("comment")
@operation(
    "comment_on_request", "Say something about a request", method="POST", body=CommentInput,
    answers=CommentSerializer, status=201, refuses=WRITE, tag=TAG,
    about="For members of the project and those who decide; whoever sees the request reads it.",
)  # fmt: skip
@api_view(["POST"])
def request_comment(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = visible_request(viewer, pk)
    sent = body(request, CommentInput)
    written = requests.comment(
        quota_request=found, text=sent["text"], actor=viewer.user, now=viewer.now
    )
    return Response(CommentSerializer(written).data, status=201)


@shows("decide")
@operation(
    "approve_request", "Grant lines, in full or trimmed", method="POST", body=ApproveInput,
    answers=DecisionSerializer, refuses=WRITE, tag="decisions", sent=APPROVE,
    etag=Etag.NEEDS, plan=RequestPlan,
    answered=DECISION,
    about="An absolute limit for each line. 412 with the figures of now where a quota is not "
    "what you saw; 409 `no_room` with the shortfall where the source has too little.",
)  # fmt: skip
@api_view(["POST"])
def request_approve(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = decidable_request(viewer, pk)
    sent = body(request, ApproveInput)

    def act() -> Decision:
        return decide.approve(
            quota_request=found, granted=sent["granted"], seen=sent["seen"],
            version=version_seen(request, sent.get("version"), found.version),
            reason=sent["reason"], actor=viewer.user, now=viewer.now,
        )  # fmt: skip

    return answer_deciding(request, viewer, found, act)


@shows("decide")
@operation(
    "decline_request", "Say no to lines, with the reason", method="POST", body=RefuseInput,
    answers=DecisionSerializer, refuses=WRITE, tag="decisions", sent=DECLINE,
    etag=Etag.NEEDS, plan=RequestPlan,
)  # fmt: skip
@api_view(["POST"])
def request_decline(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = decidable_request(viewer, pk)
    sent = body(request, RefuseInput)

    def act() -> Decision:
        return decide.decline(
            quota_request=found, line_ids=sent["lines"], reason=sent["reason"],
            version=version_seen(request, sent.get("version"), found.version),
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip

    return answer_deciding(request, viewer, found, act)


@shows("decide")
@operation(
    "return_request", "Send lines back with a question", method="POST", body=RefuseInput,
    answers=DecisionSerializer, refuses=WRITE, tag="decisions", sent=RETURN,
    etag=Etag.NEEDS, plan=RequestPlan,
    about="`reason` is the question; the lines are open again once it is answered.",
)  # fmt: skip
@api_view(["POST"])
def request_return(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = decidable_request(viewer, pk)
    sent = body(request, RefuseInput)

    def act() -> Decision:
        return decide.return_(
            quota_request=found, line_ids=sent["lines"],
            question=sent["reason"],
            version=version_seen(request, sent.get("version"), found.version),
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip

    return answer_deciding(request, viewer, found, act)


@shows("ask")
@operation(
    "preview_wish", "See what a wish would do", method="POST", body=PreviewInput,
    answers=PreviewSerializer, refuses=WRITE, tag=TAG, sent=PREVIEW,
    about="What changes, what it counts against, who would decide, and what to know before "
    "sending. Nothing is stored.",
)  # fmt: skip
@api_view(["POST"])
def wish_preview(request: Request) -> Response:
    viewer = viewer_in(request)
    askable_project(request, viewer)
    sent = body(request, PreviewInput)
    project = visible_project(viewer, sent["project"])
    found = preview(
        viewer, project, check_lines(sent["lines"]), all_or_nothing=sent["all_or_nothing"]
    )
    return Response(PreviewSerializer(found).data)


def _by_line(quota_request: QuotaRequest, wanted: Mapping[str, int]) -> dict[int, int]:
    """{line id: amount} for {offering slug: amount}; raises Invalid for what has no line."""
    lines = dict(
        RequestLine.objects.filter(request=quota_request).values_list("offering__slug", "pk")
    )
    strange = {
        f"lines.{slug[:125]}": [_("This request has no line for that.")]
        for slug in wanted
        if slug not in lines
    }
    if strange:
        raise Invalid(strange)
    return {lines[slug]: amount for slug, amount in wanted.items()}


def _answer_asking(
    request: Request, viewer: Viewer, asked: QuotaRequest, act: Callable[[], QuotaRequest]
) -> Response:
    """The request as it is once it was changed, or what changing it would do."""
    if wants_plan(request):
        return plan_of_asking(viewer, asked.project, act, asked=asked)
    act()
    return answer_request(viewer, asked.pk)


def answer_deciding(
    request: Request, viewer: Viewer, asked: QuotaRequest, act: Callable[[], Decision]
) -> Response:
    """A decision that was taken as the person may see it, or what it would do."""
    if wants_plan(request):
        return plan_of_deciding(viewer, asked, act)
    decision = one(visible_decisions(viewer), pk=act().pk)
    return Response(DecisionSerializer(decision, context=proof_for(viewer)).data)
