// What a page does when it is looked at: live parts, countdowns, and it says when it is old.
// All of the page works without.
"use strict";
(() => {
  const body = document.body;
  const stale = document.getElementById("stale");
  const ahead = Date.parse(body.dataset.now) - Date.now(); // the server's clock counts

  const many = (number, noun) => (number ? `${number} ${noun}${number === 1 ? "" : "s"}` : "");
  const words = (milliseconds) => {
    const seconds = Math.round(milliseconds / 1000);
    if (seconds <= 0) { return "now"; }
    if (seconds < 60) { return `in ${seconds} s`; }
    const minutes = Math.round(seconds / 60);
    const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60)];
    // As the server says it (domain/wording.py, span).
    const parts = days >= 2
      ? [many(days, "day"), many(hours - days * 24, "hour")]
      : [many(hours, "hour"), many(minutes - hours * 60, "minute")];
    return `in ${parts.filter(Boolean).join(" ")}`;
  };
  const count = () => {
    for (const each of document.querySelectorAll("time[data-countdown]")) {
      const text = words(Date.parse(each.dateTime) - Date.now() - ahead);
      if (each.textContent !== text) { each.textContent = text; }
    }
  };
  count();
  setInterval(count, 1000);

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    if (event.target.method === "post") { event.target.dataset.sent = "yes"; }
  });
  addEventListener("pageshow", () => {
    for (const each of document.forms) { delete each.dataset.sent; }
  });

  if (!body.dataset.live) { return; }
  const SILENT = 10000; // three turns
  let source = null;
  let fresh = Date.now();
  let asked = 0;

  const say = (text) => {
    if (stale.textContent !== text) { stale.textContent = text; }
    stale.hidden = !text;
  };
  const put = ({ id, html }) => {
    const section = document.getElementById(id);
    if (!section) { return; }
    Idiomorph.morph(section, html, {
      morphStyle: "outerHTML",
      ignoreActiveValue: true,
      callbacks: {
        // What somebody opened stays open, and a countdown is the script's.
        beforeAttributeUpdated: (name, node) => !(
          (name === "open" && node.tagName === "DETAILS") || name === "data-sent"),
      },
    });
    count();
  };
  const stop = () => {
    if (source) { source.close(); }
    source = null;
  };
  const listen = () => {
    stop();
    asked = Date.now();
    source = new EventSource(body.dataset.live);
    source.addEventListener("section", (event) => put(JSON.parse(event.data)));
    source.addEventListener("fresh", () => { fresh = Date.now(); say(""); });
  };
  // Not by its errors: a proxy keeps the line to a server that is gone.
  const watch = () => {
    if (document.hidden || Date.now() - fresh < SILENT) { return; }
    if (Date.now() - asked < SILENT) { return; }
    const time = new Date(fresh).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    say(`This page shows how it was at ${time}. The lab does not answer; trying again.`);
    listen();
  };
  setInterval(watch, 1000);
  // Nobody looks at a hidden page.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) { listen(); } });
  if (!document.hidden) { listen(); }
})();
