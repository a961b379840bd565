"""The work list and jobs, as people see them."""

from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from quotas.actions.jobs import start_job
from quotas.actions.operations import retry_target
from quotas.actions.problems import skip_target
from quotas.delivery import jobs
from quotas.models import Endpoint, Job, JobItem, Target
from quotas.states import EndpointState, TargetState
from quotas.tests.counting import assert_flat
from quotas.tests.pages.deciding import page, signed_in, text
from quotas.tests.site import Site, make_project
from quotas.tests.test_problems import crowd, fail, give_repairs, lacking, target_of

CAUSE = {"cause": "forbidden", "slug": "nova-geneva"}


def more(site: Site, count: int) -> None:
    """That many more targets with the cause."""
    for number in range(count):
        project = make_project(site, f"more-{number}", "atlas", timezone.now())
        fail(target_of(project), "forbidden", f"No {number}")


def test_the_list_tells_cause_count_own_words_escaped_and_what_fixes_it(site: Site) -> None:
    crowd(site, 2, words="<i>no</i>")
    lacking(site)
    html = text(page(site, "otto", reverse("problem_list")))
    assert "Remit&#x27;s account may not do this" in html
    assert "2 targets" in html
    assert "&lt;i&gt;no&lt;/i&gt;" in html
    assert "Try all 2 again" in html
    assert "Leave the limit out" in html
    auditor = text(page(site, "audrey", reverse("problem_list")))
    assert "2 targets" in auditor
    assert "Try all 2 again" not in auditor


def test_the_first_page_of_those_who_repair_tells_what_is_amiss(site: Site) -> None:
    home = reverse("home")
    assert "Nothing is amiss" in text(page(site, "otto", home))
    crowd(site, 2)
    lacking(site)
    Endpoint.objects.filter(slug="keystone").update(state=EndpointState.PAUSED)
    html = " ".join(text(page(site, "otto", home)).split())
    assert "3 targets are not applied" in html
    assert "by 2 causes" in html
    assert "paused" in html
    give_repairs(site, "rita", zone="storage-a")
    assert "1 target is not applied" in " ".join(text(page(site, "rita", home)).split())
    assert "not applied" not in text(page(site, "dana", home))


def test_the_first_page_costs_the_same_for_much_that_is_amiss(site: Site) -> None:
    crowd(site, 1)
    client = signed_in(site, "otto")
    assert_flat(
        "page home of an operator",
        lambda: text(client.get(reverse("home"))),
        lambda: more(site, 12),
    )


def test_the_list_is_narrowed_to_an_endpoint(site: Site) -> None:
    crowd(site, 1)
    lacking(site)
    html = text(page(site, "otto", reverse("problem_list") + "?endpoint=cinder-geneva"))
    assert "The service lacks this limit" in html
    assert "may not do this" not in html


def test_a_repairer_sees_the_causes_of_their_zones_alone(site: Site) -> None:
    crowd(site, 1)
    lacking(site)
    give_repairs(site, "rita", zone="storage-a")
    html = text(page(site, "rita", reverse("problem_list")))
    assert "The service lacks this limit" in html
    assert "may not do this" not in html
    # Leaving a limit out concerns every project there: for operators.
    assert "Leave the limit out" not in html
    text(page(site, "rita", reverse("problem_detail", kwargs=CAUSE)), 403)
    text(page(site, "bob", reverse("problem_list")), 403)


def test_a_cause_that_nothing_has_any_more_says_so_and_one_that_is_none_is_404(site: Site) -> None:
    html = text(page(site, "otto", reverse("problem_detail", kwargs=CAUSE)))
    assert "Nothing has this trouble any more" in html
    nothing = reverse("problem_detail", args=["nonsense", "nova-geneva"])
    text(page(site, "otto", nothing), 404)


def test_the_chosen_ones_are_done_as_a_job_that_is_found_again(site: Site) -> None:
    crowd(site, 3)
    client = signed_in(site, "otto")
    ids = list(
        Target.objects.filter(error_code="forbidden").order_by("pk").values_list("pk", flat=True)
    )
    url = reverse("problem_skip", kwargs=CAUSE)
    wrong = client.post(url, {"target": ids[:2], "reason": ""})
    html = text(wrong, 422)
    assert "Write a sentence" in html
    assert html.count("checked") == 2
    answer = client.post(url, {"target": ids[:2], "reason": "Moving."})
    job = Job.objects.get()
    assert answer["Location"] == reverse("job_detail", args=[job.pk])
    assert "0 of 2 handled" in text(client.get(answer["Location"]))
    jobs.run(job.pk)
    ended = text(client.get(answer["Location"]))
    assert "2 of 2 handled" in ended
    assert "data-poll" not in ended
    assert "Skip until the next change" in text(client.get(reverse("job_list")))
    skipped = Target.objects.filter(state=TargetState.SKIPPED).values_list("pk", flat=True)
    assert sorted(skipped) == sorted(ids[:2])


def test_the_project_tells_who_did_what_about_its_troubles(site: Site) -> None:
    target = fail(target_of(site.project), "forbidden", "No")
    now = timezone.now()
    skip_target(target_id=target.pk, reason="New disks", actor=site.otto, now=now)
    retry_target(endpoint=target.endpoint, target_id=target.pk, actor=site.otto, now=now)
    html = " ".join(text(page(site, "alice", f"/projects/{site.project.slug}/")).split())
    assert "left Nova geneva out until the quota changes again" in html
    assert "had Nova geneva tried again" in html


def test_a_job_says_against_what_its_remedy_is(site: Site) -> None:
    job = start_job(
        kind="remedy", subjects=[target_of(site.project).pk],
        arguments={"cause": "project-gone"}, actor=site.otto, now=timezone.now(),
    )  # fmt: skip
    html = text(page(site, "otto", reverse("job_detail", args=[job.pk])))
    assert "The project was deleted in the cloud" in html


def test_the_part_of_a_job_refreshes_itself_until_it_has_ended(site: Site) -> None:
    crowd(site, 1)
    ids = list(
        Target.objects.filter(error_code="forbidden").order_by("pk").values_list("pk", flat=True)
    )
    job = start_job(kind="retry", subjects=ids, actor=site.otto, now=timezone.now())
    client, url = Client(headers={"hx-request": "true"}), reverse("job_progress", args=[job.pk])
    client.force_login(site.otto)
    assert "data-poll" in text(client.get(url))
    jobs.run(job.pk)
    part = text(client.get(url))
    assert "data-poll" not in part
    assert "hx-swap-oob" in part
    # Without htmx the same address is the whole page.
    assert "One by one" in text(page(site, "otto", url))


def test_jobs_are_seen_by_who_started_them_and_by_operators_and_auditors(site: Site) -> None:
    job = start_job(kind="retry", subjects=[1], actor=site.dana, now=timezone.now())
    url = reverse("job_detail", args=[job.pk])
    seen = {name: page(site, name, url).status_code for name in ("dana", "otto", "audrey", "bob")}
    assert seen == {"dana": 200, "otto": 200, "audrey": 200, "bob": 404}
    assert "No jobs yet" in text(page(site, "bob", reverse("job_list")))


def test_pages_cost_the_same_for_few_targets_and_for_many(site: Site) -> None:
    crowd(site, 3)
    client = signed_in(site, "otto")

    def load(url: str) -> Any:
        return lambda: text(client.get(url))

    assert_flat(
        "page problem_detail",
        load(reverse("problem_detail", kwargs=CAUSE)),
        lambda: more(site, 30),
    )
    assert_flat(
        "page problem_list",
        load(reverse("problem_list")),
        lambda: [
            fail(each, f"odd_{each.pk}", "what")
            for each in Target.objects.filter(endpoint__slug="keystone").select_related("endpoint")
        ],
    )


def test_jobs_cost_the_same_for_few_items_and_for_many(site: Site) -> None:
    more(site, 20)
    ids = list(Target.objects.order_by("pk").values_list("pk", flat=True))
    now = timezone.now()
    job = start_job(kind="retry", subjects=ids[:2], actor=site.otto, now=now)
    client = signed_in(site, "otto")

    def grow_items() -> None:
        JobItem.objects.bulk_create(
            [JobItem(job=job, subject_kind="target", subject_id=each)
             for each in ids[2:]]
        )  # fmt: skip

    url = reverse("job_detail", args=[job.pk])
    assert_flat("page job_detail", lambda: text(client.get(url)), grow_items)
    assert_flat(
        "page job_list",
        lambda: text(client.get(reverse("job_list"))),
        lambda: [
            start_job(kind="retry", subjects=ids[:5], actor=site.otto, now=now)
            for _number in range(20)
        ],
    )
