/* Remit: keys, and manners for live parts. Every page works without this file.
 *
 * data-key="j"       on a link, button, field or <details>: the key that uses it
 * data-rows          on a table or list: j (or n) and k walk its rows, x (or Space) picks, o opens
 * data-row           on each row; its first link is what opens. Escape leaves a field for it, and
 *                    who sends a form out of a row goes on where they were
 * data-all="name"    around a box that picks all boxes of that name; hidden without this file
 * data-count="name"  on an element that says how many boxes of that name are picked; its parent
 *                    is hidden without this file
 * data-poll          on an element that htmx refreshes: rests while the page is hidden
 * data-errors        on the summary of errors: takes the focus when it appears
 * data-lines='[…]'   on a row that is decided in place: [resource, place, amount] of each line.
 *                    It gets the form of the page's template[data-here]; whoever has no script opens
 *                    the request instead. data-asked: it may be approved as it was asked for
 */
"use strict";

(() => {
  const typing = (element) =>
    element.isContentEditable ||
    element.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=submit], [type=button])");

  const usable = (element) => !element.disabled && !element.closest("[hidden]");

  /* Opens the details that hide an element, so that it can be seen and focused. */
  const reveal = (element) => {
    for (let box = element.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  };

  const use = (element) => {
    if (element.matches("details")) {
      element.open = true;
      const first = element.querySelector("select, textarea, input:not([type=hidden]), button:not([tabindex='-1']), a");
      if (first) first.focus();
      if (first && first.select) first.select();
      return;
    }
    reveal(element);
    element.focus();
    if (typing(element)) {
      if (element.select) element.select();
    } else {
      element.click();
    }
  };

  /* Deciding in the row: a page has the form once, as fifty of them would be half of it. */
  const putForm = (here) => (row) => {
    const part = here.content.cloneNode(true);
    const shown = row.querySelector("input[name=request]").value;
    const [number, , ...ids] = shown.split(".").map((each) => each.split("-")[0]);
    part.querySelector("summary .sr").textContent = ` #${number}`;
    part.querySelector("[name=shown]").value = shown;
    for (const name of ["action", "formaction"]) {
      for (const each of part.querySelectorAll(`[${name}]`)) {
        each.setAttribute(name, each.getAttribute(name).replace("{number}", number));
      }
    }
    const label = part.querySelector(".trim");
    for (const [at, [resource, place, amount]] of JSON.parse(row.dataset.lines).entries()) {
      const one = label.cloneNode(true);
      one.querySelector("b").replaceWith(resource);
      one.querySelector(".quiet").textContent = place;
      const input = one.querySelector("input");
      input.name = `grant-${ids[at]}`;
      input.setAttribute("value", amount);
      label.before(one);
    }
    label.remove();
    if (!("asked" in row.dataset)) {
      part.querySelector("[value=asked]").remove();
      part.querySelector(".decision [value=edited]").classList.add("main");
    }
    row.querySelector("th").append(part);
  };
  const here = document.querySelector("template[data-here]");
  if (here) document.querySelectorAll("[data-row][data-lines]").forEach(putForm(here));

  const rows = () => [...document.querySelectorAll("[data-rows] [data-row]")].filter(usable);

  const currentRow = () => {
    const focused = document.activeElement && document.activeElement.closest("[data-row]");
    return focused || document.querySelector("[data-row][aria-current=true]");
  };

  /* Keys inside rows mean the current row; all others the page. */
  const withKey = (key) => {
    const row = currentRow();
    const matches = [...document.querySelectorAll("[data-key]")].filter(
      (element) => element.dataset.key.split(" ").includes(key) && usable(element));
    return matches.find((element) => row && row.contains(element)) ||
      matches.find((element) => !element.closest("[data-row]"));
  };

  const stand = (row) => {
    for (const other of rows()) other.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
    const link = row.querySelector("a[href]");
    if (link) link.focus();
    row.scrollIntoView({ block: "nearest" });
  };

  const walk = (by) => {
    const all = rows();
    if (!all.length) return false;
    const now = all.indexOf(currentRow());
    stand(all[now < 0 ? 0 : Math.min(Math.max(now + by, 0), all.length - 1)]);
    return true;
  };

  const inRow = (selector) => {
    const row = currentRow();
    const element = row && row.querySelector(selector);
    if (element) element.click();
    return Boolean(element);
  };

  const rowKeys = {
    j: () => walk(1),
    n: () => walk(1),
    k: () => walk(-1),
    x: () => inRow("input[type=checkbox]"),
    o: () => inRow("a[href]"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && typing(event.target)) {
      const row = event.target.closest("[data-row]");
      event.target.blur();
      if (row) stand(row);
      return;
    }
    if (event.repeat && !(event.key in rowKeys)) return;
    if (typing(event.target)) return;
    if (event.key === " ") {
      // Anywhere else Space presses what has the focus, or scrolls.
      if (event.target.matches("[data-row] a[href]") && rowKeys.x()) event.preventDefault();
      return;
    }
    const element = withKey(event.key);
    if (element) {
      event.preventDefault();
      use(element);
    } else if (rowKeys[event.key] && rowKeys[event.key]()) {
      event.preventDefault();
    }
  });

  /* A form sent out of a row brings a page in which the next one stands in its place. */
  const place = `row of ${location.pathname}`;
  const withStorage = (act) => {
    try {
      return act(sessionStorage);
    } catch {
      return null; // a browser may keep nothing: then the page begins at its top
    }
  };
  document.addEventListener("submit", (event) => {
    const index = rows().indexOf(event.target.closest("[data-row]"));
    if (index >= 0) withStorage((storage) => storage.setItem(place, index));
  });
  const left = withStorage((storage) => storage.getItem(place));
  withStorage((storage) => storage.removeItem(place));
  if (left !== null && rows().length) stand(rows()[Math.min(left, rows().length - 1)]);

  /* What is picked: a box for all of them, which needs this file, and how many they are. */
  const boxes = (name) => [...document.querySelectorAll(`input[type=checkbox][name="${name}"]`)];
  const countPicked = () => {
    for (const note of document.querySelectorAll("[data-count]")) {
      note.textContent = boxes(note.dataset.count).filter((box) => box.checked).length;
      note.parentElement.hidden = false;
    }
  };
  for (const all of document.querySelectorAll("[data-all]")) {
    all.hidden = boxes(all.dataset.all).length === 0;
    all.querySelector("input").addEventListener("change", (event) => {
      for (const box of boxes(all.dataset.all)) box.checked = event.target.checked;
      countPicked();
    });
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches("input[type=checkbox]")) countPicked();
  });
  countPicked();
  // Once more: whoever comes back finds what was picked as it was left, and only by now.
  addEventListener("pageshow", countPicked);

  /* What is shown once can be taken along by a click; without this file it is selected by hand. */
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
      document.querySelector(`[data-copied="${button.dataset.copy}"]`).hidden = false;
    });
  }

  /* Live parts. A part that is done comes back without hx-trigger, so it stops by itself. */
  const isPoll = (event) => event.detail.elt && event.detail.elt.matches("[data-poll]");
  const showing = (id) => (isShown) => {
    const note = document.getElementById(id);
    if (note) note.hidden = !isShown;
  };
  const offline = showing("offline");
  const signedOut = showing("signed-out");

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && isPoll(event)) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !window.htmx) return;
    for (const part of document.querySelectorAll("[data-poll]")) window.htmx.trigger(part, "shown");
  });
  document.addEventListener("htmx:sendError", () => offline(true));
  document.addEventListener("htmx:timeout", () => offline(true));
  document.addEventListener("htmx:responseError", (event) => {
    const isOut = event.detail.xhr.status === 401;
    signedOut(isOut);
    offline(!isOut);
  });
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (event.detail.successful === false) return;
    offline(false);
    signedOut(false);
  });

  /* A summary of errors is read first, whether it came with the page or with a fragment. */
  const toErrors = (root) => {
    const summary = root.querySelector("[data-errors]");
    if (summary) summary.focus();
  };
  toErrors(document);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (!isPoll(event) && event.detail.requestConfig && event.detail.requestConfig.verb === "post") {
      toErrors(event.detail.elt);
    }
  });
})();
