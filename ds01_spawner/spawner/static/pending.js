// The page that waits for a server: follows the steps that the hub tells.
(() => {
  const find = (id) => document.getElementById(id);
  const page = find("ds01-pending");
  const title = document.title;
  const steps = find("ds01-steps");
  const lines = [...steps.children];
  const bar = find("progress-bar");

  const began = Math.min(Date.parse(page.dataset.started) || Date.now(), Date.now());
  const tick = () => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    find("ds01-elapsed").textContent = `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
  };
  const clock = setInterval(tick, 1000);
  tick();
  find("ds01-clock").hidden = false;

  const icons = { done: "fa-check", now: "fa-spinner fa-spin", todo: "fa-circle", failed: "fa-xmark" };
  const said = { done: "Done:", now: "Now:", todo: "Next:", failed: "Failed:" };
  const mark = (line, state) => {
    line.dataset.state = state;
    if (state === "now") {
      line.setAttribute("aria-current", "step");
    } else {
      line.removeAttribute("aria-current");
    }
    line.querySelector("i").className = `fa ${icons[state]}`;
    line.querySelector(".visually-hidden").textContent = `${said[state]} `;
  };

  // Events of the same step are one line, told again with news: the hub repeats all of them to a
  // page that is opened late.
  const show = (event) => {
    const at = lines.findIndex((line) => line.dataset.step === event.step);
    lines.forEach((line, number) => {
      const state = number < at ? "done" : number === at ? "now" : "todo";
      if (line.dataset.state !== state) { mark(line, state); }
    });
    if (at >= 0) {
      lines[at].hidden = false;
      lines[at].lastElementChild.lastElementChild.textContent = event.place ? "Waiting for a GPU" : event.message;
    }
    find("ds01-status").textContent = event.message;
    bar.setAttribute("aria-valuenow", event.progress);
    bar.firstElementChild.style.width = `${event.progress}%`;
    waits(event);
  };
  const waits = (event) => {
    const box = find("ds01-place");
    box.hidden = !event.place;
    document.title = title;
    if (box.hidden) { return; }
    const place = `Place ${event.place} of ${event.length} in the queue`;
    box.querySelector("strong").textContent = place;
    box.querySelector("span").textContent = event.reason ?? "";
    const wait = find("ds01-wait");
    wait.hidden = !event.wait;
    wait.querySelector("span").textContent = event.wait ?? "";
    document.title = `${place} · DS01`;
  };
  const finish = () => {
    source.close();
    clearInterval(clock);
    find("ds01-cancel").hidden = true;
    find("ds01-place").hidden = true;
  };
  const fail = (event) => {
    finish();
    lines.filter((line) => line.dataset.state === "now").forEach((line) => mark(line, "failed"));
    bar.hidden = true;
    find("ds01-hint").hidden = true;
    page.querySelector("h1").textContent = page.dataset.failed;
    document.title = `${page.dataset.failed} · DS01`;
    const box = find("ds01-failed");
    if (event.html_message) {
      box.innerHTML = event.html_message;
    } else {
      box.textContent = event.message
        .replace(/^Spawn failed: /, "")
        .replace(/^Spawn cancelled$/, "The start was cancelled.");
    }
    box.hidden = false;
    find("ds01-remembered").hidden = false;
    find("ds01-again").hidden = false;
    find("ds01-again").focus();
  };

  let cancelling = false;
  const source = new EventSource(page.dataset.progress);
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (cancelling || event.refusal) { return; } // why it failed comes with the hub's next word
    if (event.ready) {
      show({ step: "ready", progress: 100, message: "Opening it" });
      finish();
      location.reload();
    } else if (event.failed) {
      fail(event);
    } else {
      show(event);
    }
  };

  find("ds01-cancelling").addEventListener("submit", (event) => {
    if (cancelling) { event.preventDefault(); return; }
    cancelling = true;
    const button = find("ds01-cancel");
    button.setAttribute("aria-disabled", "true");
    button.textContent = "Cancelling …";
    find("ds01-status").textContent = "Cancelling the start.";
  });
  // Coming back with the browser's button shows the page as it was left.
  window.addEventListener("pageshow", (event) => { if (event.persisted) { location.reload(); } });

  // Tests of JupyterHub's own pages wait for it.
  window._jupyterhub_page_loaded = true;
})();
