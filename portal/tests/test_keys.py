"""The keys of the queue and the manners of live parts, in a real browser."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("chromium")
SCRIPT = Path(__file__).parents[1] / "static" / "remit.js"
PAGE = """
<input type="search" id="find" data-key="/">
<table data-rows><tbody>
<tr data-row><td><input type="checkbox" id="pick1" name="pick"><a href="#one" id="open1">1</a>
  <button id="a1" data-key="a">a</button></td></tr>
<tr data-row><td><input type="checkbox" id="pick2" name="pick"><a href="#two" id="open2">2</a>
  <button id="a2" data-key="a">a</button></td></tr>
</tbody></table>
<button id="off" data-key="z" disabled>z</button>
<details id="no" data-key="d r"><summary>No</summary><select id="why"><option>x</select></details>
<details id="here" data-key="e"><summary>Here</summary><input type="hidden" name="token">
  <input id="amount"></details>
<label id="all" data-all="pick" hidden><input type="checkbox" id="every"></label>
<b id="count" data-count="pick"></b>
<div id="live" data-poll></div>
<p id="offline" hidden></p>
"""


@pytest.fixture
def page(browser):
    opened = browser.new_page()
    opened.set_content(PAGE)
    opened.evaluate(
        "window.clicked = [];"
        "document.addEventListener('click', (event) => clicked.push(event.target.id))"
    )
    opened.add_script_tag(path=SCRIPT)
    yield opened
    opened.close()


def focused(page):
    return page.evaluate("document.activeElement.id")


def press(page, keys):
    for key in keys.split():
        page.keyboard.press(key)


def test_slash_finds_and_escape_leaves(page):
    press(page, "/")
    assert focused(page) == "find"
    press(page, "j")
    assert page.input_value("#find") == "j"
    press(page, "Escape")
    assert focused(page) == ""


def test_n_walks_as_j_does(page):
    press(page, "n n")
    assert focused(page) == "open2"


def test_a_key_opens_what_is_folded_at_its_first_field_that_shows(page):
    press(page, "e")
    assert page.get_attribute("#here", "open") is not None
    assert focused(page) == "amount"


def test_what_is_picked_is_counted_and_all_of_it_at_once(page):
    assert page.inner_text("#count") == "0"
    press(page, "j x")
    assert page.inner_text("#count") == "1"
    page.check("#every")
    assert page.inner_text("#count") == "2"
    assert page.is_checked("#pick2")


def test_j_and_k_walk_and_stop_at_the_ends(page):
    press(page, "j")
    assert focused(page) == "open1"
    press(page, "j j")
    assert focused(page) == "open2"
    press(page, "k k k")
    assert focused(page) == "open1"
    assert page.locator("[aria-current=true]").count() == 1


def test_x_picks_and_a_acts_on_the_current_row(page):
    press(page, "j j x a")
    assert page.is_checked("#pick2")
    assert not page.is_checked("#pick1")
    assert page.evaluate("clicked") == ["pick2", "a2"]


def test_o_opens_the_current_row(page):
    press(page, "j j o")
    assert page.evaluate("location.hash") == "#two"


def test_a_key_without_a_row_does_nothing_to_rows(page):
    press(page, "a z")
    assert page.evaluate("clicked") == []


def test_d_opens_the_box_and_goes_to_the_reason(page):
    press(page, "d")
    assert page.evaluate("document.getElementById('no').open") is True
    assert focused(page) == "why"


def test_keys_with_modifiers_belong_to_the_browser(page):
    press(page, "Control+j")
    assert focused(page) == ""


@pytest.mark.parametrize(("is_hidden", "goes_on"), [(True, False), (False, True)])
def test_polling_rests_while_the_page_is_hidden(page, is_hidden, goes_on):
    sent = page.evaluate(
        """(isHidden) => {
          Object.defineProperty(document, "hidden", { value: isHidden });
          const live = document.getElementById("live");
          const event = new CustomEvent("htmx:beforeRequest",
            { bubbles: true, cancelable: true, detail: { elt: live } });
          return live.dispatchEvent(event);
        }""",
        is_hidden,
    )
    assert sent is goes_on


def test_a_lost_answer_is_said_and_taken_back(page):
    page.evaluate("document.body.dispatchEvent(new CustomEvent('htmx:sendError', {bubbles: true}))")
    assert page.evaluate("document.getElementById('offline').hidden") is False
    page.evaluate(
        "document.body.dispatchEvent("
        "new CustomEvent('htmx:afterOnLoad', {bubbles: true, detail: {successful: true}}))"
    )
    assert page.evaluate("document.getElementById('offline').hidden") is True
