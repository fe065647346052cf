// Ages tick on, and the live part of a page is fetched anew. What is old always says so.
(() => {
  "use strict";

  const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  // Seconds without an answer before the page says so, and before what it shows is out of date,
  // for a page that is fetched every so many seconds.
  const late = (every) => every + 4;
  const lost = (every) => 2 * every + 11;
  const OLD_PAGE = 120; // seconds after which a page that does not refresh says its age

  const span = (seconds) => {
    let left = Math.max(0, Math.floor(seconds));
    const parts = [];
    for (const [unit, size] of UNITS) {
      const count = Math.floor(left / size);
      left -= count * size;
      if (count || parts.length) parts.push([count, unit]);
    }
    const shown = parts.slice(0, 2).filter(([count]) => count > 0);
    return shown.map(([count, unit]) => `${count} ${unit}`).join(" ") || "0 s";
  };

  // The server's clock counts, from the moment its answer came in: the browser's own may be wrong.
  const started = new WeakMap();
  const since = (element, attribute) => {
    if (!started.has(element)) started.set(element, performance.now());
    return Number(element.dataset[attribute]) + (performance.now() - started.get(element)) / 1000;
  };

  const tick = () => {
    for (const element of document.querySelectorAll("time[data-age]")) {
      const seconds = since(element, "age");
      element.textContent = `${span(seconds)} ago`;
      if (element.dataset.stale && seconds > Number(element.dataset.stale)) element.classList.add("dr-old");
    }
    for (const element of document.querySelectorAll("[data-lapse]")) {
      element.textContent = span(since(element, "lapse"));
    }
  };

  class Live {
    constructor(place) {
      this.place = place;
      this.status = document.getElementById("dr-live-status");
      this.every = Number(place.dataset.every);
      this.answered = performance.now();
      this.problem = "";
      this.waiting = null;
      this.asking = null;
      document.addEventListener("visibilitychange", () => this.look());
      this.plan();
      this.say();
    }

    get active() {
      const part = this.place.firstElementChild;
      return part !== null && part.dataset.active === "true";
    }

    plan() {
      clearTimeout(this.waiting);
      if (this.active && !document.hidden) this.waiting = setTimeout(() => this.ask(), this.every * 1000);
    }

    look() {
      if (document.hidden) {
        clearTimeout(this.waiting);
        if (this.asking) this.asking.abort();
      } else if (this.active) {
        this.ask();
      }
      this.say();
    }

    async ask() {
      if (this.asking) return;
      this.asking = new AbortController();
      const deadline = setTimeout(() => this.asking && this.asking.abort(), 10000);
      try {
        const answer = await fetch(this.place.dataset.live, {
          headers: { "X-Requested-With": "fetch" },
          credentials: "same-origin",
          redirect: "manual",
          cache: "no-store",
          signal: this.asking.signal,
        });
        if (answer.type === "opaqueredirect") throw new Error("you are logged out");
        if (!answer.ok) throw new Error(`the portal answered ${answer.status}`);
        this.show(await answer.text());
        this.answered = performance.now();
        this.problem = "";
      } catch (error) {
        if (!document.hidden) this.problem = this.words(error);
      } finally {
        clearTimeout(deadline);
        this.asking = null;
        this.say();
        this.plan();
      }
    }

    words(error) {
      if (error.name === "AbortError") return "the portal does not answer";
      return error instanceof TypeError ? "the portal cannot be reached" : error.message;
    }

    // What was open stays open, and the keyboard stays where it was.
    show(html) {
      const open = new Map();
      for (const part of this.place.querySelectorAll("details[id]")) open.set(part.id, part.open);
      const scrolled = new Map();
      for (const part of this.place.querySelectorAll("[data-scroll][id]")) scrolled.set(part.id, part.scrollTop);
      const focused = this.place.contains(document.activeElement) ? document.activeElement.id : "";
      const page = new DOMParser().parseFromString(html, "text/html");
      if (!page.querySelector("[data-active]")) throw new Error("the portal answered something else");
      this.place.replaceChildren(...page.body.childNodes);
      for (const [id, was] of open) {
        const part = document.getElementById(id);
        if (part) part.open = was;
      }
      for (const [id, top] of scrolled) {
        const part = document.getElementById(id);
        if (part) part.scrollTop = top;
      }
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
      tick();
    }

    say() {
      const seconds = (performance.now() - this.answered) / 1000;
      const outdated = this.active && seconds > lost(this.every);
      const failing = this.active && (this.problem !== "" || seconds > late(this.every));
      this.place.classList.toggle("dr-outdated", outdated);
      let words = `Last updated ${span(seconds)} ago`;
      let tone = "dr-plain";
      if (!this.active) {
        words = "Ended: nothing is under way here, so this page stands still";
      } else if (outdated) {
        tone = "dr-bad";
        words = `OUT OF DATE: not updated for ${span(seconds)}${this.problem ? `, ${this.problem}` : ""}. What is below may no longer be so`;
      } else if (failing) {
        tone = "dr-wait";
        words = `Not updated for ${span(seconds)}${this.problem ? `: ${this.problem}` : ""}. Trying again`;
      }
      this.status.className = `dr-live ${tone}`;
      if (this.status.textContent !== words) this.status.textContent = words;
    }
  }

  // A page that is not fetched anew says how long ago it was loaded, unless one fills in a form.
  const sayLoaded = () => {
    const seconds = performance.now() / 1000;
    const content = document.getElementById("content");
    if (seconds < OLD_PAGE || !content || document.querySelector("[data-live], .dr-form, #login-form")) return;
    let note = document.getElementById("dr-loaded");
    if (!note) {
      note = document.createElement("p");
      note.id = "dr-loaded";
      note.className = "dr-live dr-wait";
      content.prepend(note);
    }
    const words = `This page was loaded ${span(seconds)} ago: load it again to see how things are now`;
    if (note.textContent !== words) note.textContent = words;
  };

  document.addEventListener("DOMContentLoaded", () => {
    tick();
    const place = document.querySelector("[data-live]");
    const live = place ? new Live(place) : null;
    setInterval(() => {
      tick();
      sayLoaded();
      if (live) live.say();
    }, 1000);
  });
})();
