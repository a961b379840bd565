"""The tags of the visual kit: what each renders, read as a person or a screen reader would."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django import forms
from django.template import Context, Template, TemplateSyntaxError
from django.utils import timezone, translation

from portal import jinja
from portal.lib.bars import fill_bar
from portal.lib.folding import fold
from portal.lib.marks import bare_bar
from portal.testing.html import Reader, text_of

NOW = datetime(2026, 11, 17, 13, 2, 11, tzinfo=UTC)
TIB = 2**40


def draw(source, **context):
    return Template("{% load gauges ui %}" + source).render(Context({"now": NOW, **context}))


# Figures


def test_amount_carries_its_exact_value():
    html = draw('{% amount v "B" %}', v=3 * TIB // 2)
    (data,) = Reader(html).all("data")
    assert (data["value"], data["title"].replace("\u202f", " ")) == (
        "1649267441664",
        "1 649 267 441 664 B",
    )
    assert text_of(html) == "1.5 TiB"


def test_amount_is_the_same_number_to_programs_in_every_language():
    with translation.override("fr"):
        html = draw('{% amount v "B" %}', v=3 * TIB // 2)
    assert 'value="1649267441664"' in html
    assert text_of(html) == "1,5 TiB"


def test_change_has_a_real_minus_and_a_noun():
    assert text_of(draw('{% change -64 noun="vCPU" %}')).replace("\u00a0", " ") == "−64 vCPU"
    assert text_of(draw("{% change 64 %}")) == "+64"


def test_filters_give_text_for_attributes():
    assert draw('{{ v|as_input:"B" }}', v=TIB) == "1T"
    assert draw('{{ v|plain_amount:"B" }}', v=TIB) == "1\u202fTiB"
    assert draw("{{ 7|capped:99 }} {{ 100|capped:99 }}") == "7 99+"


@pytest.mark.parametrize("kind", ["requested", "granted", "observed"])
def test_val_shows_its_kind(kind):
    html = draw("{% val kind 192 %}", kind=kind)
    assert Reader(html).all("span")[0]["data-kind"] == kind
    assert "i-check" not in html


def test_applied_has_a_check_only_once_it_was_read_back():
    assert "i-check" in draw('{% val "applied" at=now %}')
    unread = draw('{% val "applied" 192 %}')
    assert "i-check" not in unread
    assert text_of(unread) == "not yet"


def test_observed_says_its_age():
    html = draw('{% val "observed" 192 "" at %}', at=NOW - timedelta(minutes=2))
    assert text_of(html) == "192 2 min ago"
    assert text_of(draw('{% val "observed" %}')) == "not read yet"


def test_val_of_another_kind_is_a_mistake():
    with pytest.raises(TemplateSyntaxError, match="wished"):
        draw('{% val "wished" 1 %}')


# Bars


def test_bar_says_its_figures_and_draws_them():
    html = draw('{% bar 288 384 label="vCPU in geneva" reserved=8 pending=64 %}')
    svg, *_inner = Reader(html).all("svg")
    assert (svg["role"], svg["aria-label"]) == (
        "img",
        "vCPU in geneva: 288 used, 8 reserved, 88 free of 384; 64 more asked for",
    )
    assert [attrs["class"] for attrs in Reader(html).all("rect")] == [
        "bar-track", "bar-used", "bar-reserved", "bar-pending", "bar-gap", "bar-limit",
    ]  # fmt: skip
    assert "style" not in html


@pytest.mark.parametrize(("used", "tone"), [(89, None), (90, "warn")])
def test_bar_warns_from_ninety_per_cent(used, tone):
    assert Reader(draw("{% bar u 100 %}", u=used)).all("svg")[0].get("data-tone") == tone


def test_bar_over_its_limit_says_by_how_much():
    assert "40 over the limit of 100" in draw("{% bar 140 100 %}")


def test_bar_without_a_limit_says_so():
    assert "no limit known" in draw("{% bar 140 none %}", none=None)


@pytest.mark.parametrize("figures", [(50, 10, 75), (50, -10, 75), (50, 40, 75), (0, 0, 0)])
def test_a_bare_bar_is_a_bar_without_its_words(figures):
    shape = fill_bar(*figures)
    drawn = jinja.draw("ui/bar.jinja", shape=shape, words="", tone="")
    wordless = drawn.replace('role="img" aria-label=""', 'aria-hidden="true"')
    assert bare_bar(shape) == wordless.replace("\n", "")


def test_bar_of_less_says_less():
    assert "40 less asked for" in draw("{% bar 10 100 pending=-40 %}")


def test_bar_widths_are_never_localised():
    with translation.override("fr"):
        assert 'width="12.5%"' in draw("{% bar 1 8 %}")


def test_fillbar_says_what_is_too_much():
    html = draw('{% fillbar n a l unit="B" label="Envelope" %}', n=9 * TIB, a=2 * TIB, l=10 * TIB)
    label = Reader(html).all("svg")[0]["aria-label"].replace("\u202f", " ")
    assert label == "Envelope: 9 TiB of 10 TiB now, 11 TiB after, 1 TiB too much"
    assert "bar-over" in html


def test_parts_say_all_names_and_show_short_ones():
    zones = [("compute-a", 128), ("compute-b", 192), ("compute-c", 3)]
    html = draw('{% parts zones label="Parts of vCPU" %}', zones=zones)
    assert Reader(html).all("svg")[0]["aria-label"] == (
        "Parts of vCPU: compute-a 128, compute-b 192, compute-c 3"
    )
    assert re.findall(r"<text[^>]*>([^<]*)</text>", html) == ["a 128", "b 192"]


def test_gauges_show_label_figures_and_note():
    html = draw('{% fill_gauge "Your remit" 80 64 200 note="56 left" %}')
    assert text_of(html) == "Your remit 80 → 144 of 200 56 left"
    assert text_of(draw('{% use_gauge "vCPU" 205 256 wide=True %}')) == "vCPU 205 of 256 80 %"
    assert text_of(draw('{% use_gauge "vCPU" 0 0 %}')) == "vCPU 0 of 0"


def test_progress_has_a_name_and_words():
    html = draw('{% progress 2 3 label="Delivery" %}')
    (bar,) = Reader(html).all("progress")
    assert (bar["value"], bar["max"], bar["aria-label"], text_of(html)) == (
        "2", "3", "Delivery", "2 of 3",
    )  # fmt: skip


# Words


def test_state_of_knows_words_icons_and_tones():
    html = draw('{% state_of "target" "retrying" %}')
    assert (text_of(html), 'data-tone="warn"' in html) == ("retrying", True)


def test_state_of_something_new_is_shown_by_its_code():
    assert text_of(draw('{% state_of "target" "half_way" %}')) == "half way"


def test_person_has_a_name_even_when_erased():
    assert text_of(draw('{% person "dana" %}')) == "D dana"
    assert text_of(draw('{% person "" plain=True %}')) == "somebody (erased)"


def test_names_are_escaped():
    html = draw("{% person name %}{% state name %}", name="<script>")
    assert "<script>" not in html


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=2), "just now"),
        (timedelta(seconds=40), "40 s ago"),
        (timedelta(minutes=2), "2 min ago"),
        (timedelta(hours=30), "30 h ago"),
        (timedelta(days=13), "13 d ago"),
        (timedelta(seconds=-2), "in a moment"),
        (timedelta(hours=-4), "in 4 h"),
        (timedelta(days=400), "13 Oct 2025"),
    ],
)
def test_age(ago, words):
    assert text_of(draw("{% age at %}", at=NOW - ago)) == words


def test_when_is_in_the_readers_zone_with_the_exact_moment():
    with timezone.override("Europe/Zurich"):
        html = draw("{% when now %}")
    (time,) = Reader(html).all("time")
    assert text_of(html) == "today 14:02"
    assert (time["datetime"], time["title"]) == (
        "2026-11-17T14:02:11+01:00",
        "Tue 17 Nov 2026, 14:02:11 CET",
    )


def test_when_and_day_name_the_year_only_if_it_is_another():
    assert text_of(draw("{% when at %}", at=NOW - timedelta(days=5))) == "12 Nov 13:02"
    assert text_of(draw("{% day d %}", d=date(2026, 11, 30))) == "30 Nov"
    assert text_of(draw("{% day d %}", d=date(2027, 3, 31))) == "31 Mar 2027"


# Blocks


def test_fold_gives_roles_and_labels():
    folded = fold(
        '<thead><tr><th scope="col">Limit</th><th scope="col" class="num">Used &amp; kept</th>'
        '<th scope="col"><span class="sr">Open</span></th></tr></thead>'
        '<tbody><tr><th scope="row">vCPU</th><td class="num">3</td><td>x</td></tr>'
        '<tr><th scope="row">RAM</th><td data-label="">3</td><td></td></tr></tbody>'
    )
    assert folded == (
        '<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Limit</th>'
        '<th role="columnheader" scope="col" class="num">Used &amp; kept</th>'
        '<th role="columnheader" scope="col"><span class="sr">Open</span></th></tr></thead>'
        '<tbody role="rowgroup"><tr role="row"><th role="rowheader" scope="row">vCPU</th>'
        '<td role="cell" data-label="Used &amp; kept" class="num">3</td>'
        '<td role="cell">x</td></tr>'
        '<tr role="row"><th role="rowheader" scope="row">RAM</th>'
        '<td role="cell" data-label="">3</td><td role="cell"></td></tr></tbody>'
    )


def test_fold_counts_columns_that_span():
    rows = fold(
        "<thead><tr><th>A</th><th>B</th><th>C</th></tr></thead>"
        '<tr><td colspan="2">x</td><td>y</td></tr>'
    )
    assert re.findall(r'data-label="(\w)"', rows) == ["A", "C"]


def test_foldtable_has_a_caption_for_readers():
    source = '{% foldtable "quota" caption=c %}<tr><td>{{ v }}</td></tr>{% endfoldtable %}'
    html = draw(source, v="<b>", c="Quota <1>")
    assert Reader(html).all("table")[0] == {"class": "table fold quota", "role": "table"}
    assert "Quota &lt;1&gt;" in html
    assert "&lt;b&gt;" in html


def test_notice_has_a_heading_at_its_level():
    html = draw('{% notice "bad" "stop" "No room" level=3 %}<p>Why</p>{% endnotice %}')
    assert "<h3>No room</h3><p>Why</p>" in html


def test_more_can_be_opened_by_a_key():
    html = draw('{% more "Return" key="r" %}<p>x</p>{% endmore %}')
    assert Reader(html).all("details")[0] == {"class": "more", "data-key": "r"}


def test_warns_take_icons_from_tones_and_link_codes():
    html = draw("{% warns items %}", items=[{"text": "a < b", "code": "W12", "url": "/w"}])
    assert text_of(html) == "W12 a &lt; b"
    assert Reader(html).all("a") == [{"class": "code", "href": "/w"}]


def test_empty_note_says_what_to_do_first():
    html = draw('{% empty_note "tray" "No drafts" "Kept here." url="/new" action="Start one" %}')
    assert text_of(html) == "No drafts Kept here. Start one"


def test_pager_links_only_where_there_is_more():
    html = draw('{% pager "1–50 of 213" next=url %}', url="?after=50&x=1")
    assert [link["rel"] for link in Reader(html).all("a")] == ["next"]
    assert "after=50&amp;x=1" in html


# Forms


class Decision(forms.Form):
    reason = forms.CharField(label="Reason", help_text="Alice reads this")
    until = forms.ChoiceField(
        label="Until", widget=forms.RadioSelect, choices=[("stays", "It stays"), ("date", "A date")]
    )
    whole = forms.BooleanField(label="All or nothing", required=False)

    def clean(self):
        raise forms.ValidationError("Look again.")


def test_field_ties_label_hint_and_error_to_the_control():
    html = draw("{% field form.reason %}", form=Decision({"reason": ""}))
    reader = Reader(html)
    (control,) = reader.all("input")
    assert control["aria-invalid"] == "true"
    assert set(control["aria-describedby"].split()) <= set(reader.ids)
    assert len(control["aria-describedby"].split()) == 2
    assert reader.all("label")[0]["for"] == control["id"]


def test_field_of_choices_is_a_fieldset_with_a_legend():
    html = draw("{% field form.until %}", form=Decision({}))
    reader = Reader(html)
    assert reader.all("fieldset")[0]["aria-describedby"] in reader.ids
    assert "<legend>Until</legend>" in html
    assert len(reader.all("input")) == 2


def test_field_that_is_ticked_stands_inside_its_label():
    assert text_of(draw("{% field form.whole %}", form=Decision())) == "All or nothing"


def test_field_takes_a_hint_from_the_page():
    html = draw('{% field form.whole hint="Every line or none" %}', form=Decision())
    assert 'aria-describedby="id_whole_helptext"' in html
    assert "Every line or none" in html


def test_error_summary_links_to_what_can_be_reached():
    form = Decision({})
    html = draw(
        "{% error_summary form extra=lines %}{% field form.reason %}{% field form.until %}",
        form=form,
        lines=[("vcpu-a", "vCPU: not an amount")],
    )
    reader = Reader(html)
    targets = [link["href"].removeprefix("#") for link in reader.all("a")]
    assert targets[-1] == "vcpu-a"
    assert set(targets[:-1]) <= set(reader.ids)
    assert "<li>Look again.</li>" in html


def test_error_summary_of_no_errors_is_nothing():
    assert draw("{% error_summary form %}", form=Decision()) == ""
