// What a page can do beyond being read: it keeps itself up to date, filters while one types, and tells what is under the
// pointer or the arrow keys. Everything else works without this file.
"use strict";

(() => {
  const live = document.getElementById("live");
  let asked = 0;

  // Take a part of a newly fetched page over, unless somebody is at work in it.
  function replace(fresh, id) {
    const old = document.getElementById(id);
    const made = fresh.getElementById(id);
    if (!old || !made || old.innerHTML === made.innerHTML) return;
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    old.replaceWith(document.adoptNode(made));
    made.querySelectorAll("details").forEach((one, at) => { one.open = open[at] || false; });
    prepare(made);
  }

  async function fetchPage(url) {
    const number = ++asked;
    const answer = await fetch(url, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    return number === asked ? new DOMParser().parseFromString(text, "text/html") : null;
  }

  function isBusy() {
    const at = document.activeElement;
    const typing = at && ["INPUT", "SELECT", "TEXTAREA"].includes(at.tagName);
    return document.hidden || typing || String(document.getSelection()).length > 0;
  }

  async function refresh() {
    if (isBusy()) return;
    try {
      const fresh = await fetchPage(location.href.split("#")[0]);
      if (!fresh || isBusy()) return;
      const focused = document.activeElement && document.activeElement.getAttribute("href");
      replace(fresh, "live");
      if (focused) document.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
      for (const place of [".place", "footer"]) {
        const [old, made] = [document.querySelector(place), fresh.querySelector(place)];
        if (old && made) old.replaceWith(document.adoptNode(made));
      }
      document.title = fresh.title;
      document.body.classList.remove("lost");
    } catch {
      document.body.classList.add("lost");
    }
  }

  // The form of the map: the rows follow what is typed, and the address bar with them.
  function prepareFilters(root) {
    const form = root.querySelector("form.filters");
    if (!form) return;
    let timer = 0;
    const apply = async () => {
      const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
      const url = `${form.getAttribute("action")}?${query}`;
      history.replaceState(null, "", `${url}#map`);
      try {
        const fresh = await fetchPage(url);
        if (fresh) replace(fresh, "rows");
      } catch {
        document.body.classList.add("lost");
      }
    };
    const soon = (event) => {
      clearTimeout(timer);
      timer = setTimeout(apply, event.type === "input" && event.target.type === "search" ? 250 : 0);
    };
    form.addEventListener("input", soon);
    form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); apply(); });
  }

  // A large strip: arrow keys and pointer move a line over it, and what is there is said in words.
  function prepareStrips(root) {
    for (const strip of root.querySelectorAll("[data-strip]")) {
      const codes = strip.dataset.strip.split(",").map((run) => run.split(/x(?=\d+$)/));
      const [from, cell] = [Number(strip.dataset.from), Number(strip.dataset.cell)];
      const cells = codes.flatMap(([words, count]) => Array(Number(count)).fill(words));
      const said = strip.parentElement.querySelector(".readout");
      const cursor = document.createElement("div");
      cursor.className = "cursor";
      cursor.hidden = true;
      strip.append(cursor);
      strip.tabIndex = 0;
      strip.setAttribute("role", "slider");
      strip.setAttribute("aria-label", "Runs over time; arrow keys go from cell to cell");
      strip.setAttribute("aria-valuemin", "0");
      strip.setAttribute("aria-valuemax", String(cells.length - 1));
      let at = cells.length - 1;
      const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
      const show = () => {
        const words = `${clock(from + at * cell)} UTC: ${cells[at]}`;
        cursor.hidden = false;
        cursor.style.left = `${(100 * (at + 0.5)) / cells.length}%`;
        strip.setAttribute("aria-valuenow", String(at));
        strip.setAttribute("aria-valuetext", words);
        if (said) said.textContent = words;
      };
      strip.setAttribute("aria-valuenow", String(at));
      strip.addEventListener("keydown", (event) => {
        const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -cells.length, End: cells.length };
        if (!(event.key in steps)) return;
        event.preventDefault();
        at = Math.min(cells.length - 1, Math.max(0, at + steps[event.key]));
        show();
      });
      strip.addEventListener("focus", show);
      strip.addEventListener("pointermove", (event) => {
        const box = strip.getBoundingClientRect();
        at = Math.min(cells.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * cells.length)));
        show();
      });
      strip.addEventListener("pointerleave", () => { if (document.activeElement !== strip) cursor.hidden = true; });
    }
  }

  // The times are UTC; the pointer shows the reader's own.
  function prepareTimes(root) {
    for (const one of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(one.dateTime);
      if (!Number.isNaN(moment.getTime())) one.title = `${one.dateTime} (here: ${moment.toLocaleString()})`;
    }
  }

  function prepare(root) {
    prepareFilters(root);
    prepareStrips(root);
    prepareTimes(root);
  }

  prepare(document);
  if (live) setInterval(refresh, Number(live.dataset.every) * 1000);
})();
