// The hub's home page: when each server stops, why, and a button against it.
// What is said and what is offered comes from the hub as it is (`lifetime.py`).
(() => {
  const SECONDS = 15;
  const { base_url, user, xsrf_token } = window.jhdata;
  const address = `${base_url}ds01/users/${encodeURIComponent(user)}/containers`;
  const find = (id) => document.getElementById(id);
  const said = (text) => { find("ds01-status").textContent = text; };
  const make = (tag, text, classes = "") => {
    const element = document.createElement(tag);
    element.textContent = text;
    element.className = classes;
    return element;
  };
  const ask = (path, options = {}) => fetch(address + path, {
    ...options, headers: { "X-XSRFToken": xsrf_token, Accept: "application/json" },
  });
  const sentenceOf = async (answer) => {
    const body = await answer.json().catch(() => ({}));
    return body.message || `The hub answered ${answer.status}.`;
  };

  // Where a server's lines go: below the big buttons, or into its row of the table.
  const placeOf = (server) => {
    if (server === "") {
      const found = find("ds01-default");
      if (found) { return found; }
      const box = make("div", "", "ds01-life");
      box.id = "ds01-default";
      find("start").parentElement.append(box);
      return box;
    }
    const row = [...document.querySelectorAll(".home-server-row")].find(
      (each) => each.dataset.serverName === server);
    if (!row) { return null; }
    let box = row.querySelector(".ds01-life");
    if (!box) {
      box = make("div", "", "ds01-life");
      row.cells[0].append(box);
    }
    return box;
  };

  const keep = async (container, button) => {
    button.disabled = true;
    let trouble = "";
    try {
      const path = `/${encodeURIComponent(container.name)}/keep-running`;
      const answer = await ask(path, { method: "POST" });
      if (answer.ok) {
        const now = await answer.json();
        fill(button.closest(".ds01-life"), now);
        said(now.sentences[0] ?? "");
        return;
      }
      trouble = await sentenceOf(answer);
    } catch {
      trouble = "The hub does not answer. Try again in a moment.";
    }
    button.disabled = false;
    const line = button.parentElement.querySelector(".ds01-trouble") ?? make("p", "", "ds01-trouble text-danger-emphasis");
    line.textContent = trouble;
    button.parentElement.append(line);
    said(trouble);
  };

  const fill = (box, container) => {
    const stop = container.stopped_by;
    const shown = JSON.stringify([
      container.sentences, container.rules, container.keep_words, container.kept_until, stop]);
    if (box.dataset.shown === shown) { return; }
    const hadFocus = box.contains(document.activeElement);
    box.dataset.shown = shown;
    box.toggleAttribute("data-warned", container.warned);
    const lines = [...(stop ? [stop.sentence] : []), ...container.sentences];
    box.replaceChildren(...lines.map((text) => make("p", text)));
    if (container.keep_until) {
      const button = make("button", "Keep it running", "btn btn-sm btn-outline-contrast");
      button.type = "button";
      button.addEventListener("click", () => keep(container, button));
      box.append(button, make("span", container.keep_words, "ds01-rule"));
      if (hadFocus) { button.focus(); }
    }
    const rules = stop ? [stop.rule] : container.rules;
    rules.forEach((rule) => box.append(make("p", rule, "ds01-rule")));
  };

  const show = (container) => {
    const box = container.server === null ? null : placeOf(container.server);
    if (box) { fill(box, container); }
    return box;
  };

  const showOthers = (others) => {
    const list = find("ds01-others").querySelector("ul");
    find("ds01-others").hidden = others.length === 0;
    const rows = new Map([...list.children].map((row) => [row.dataset.name, row]));
    list.replaceChildren(...others.map((container) => {
      const row = rows.get(container.name) ?? make("li", "");
      if (!row.dataset.name) {
        row.dataset.name = container.name;
        row.append(make("strong", container.name), make("div", "", "ds01-life"));
      }
      fill(row.lastElementChild, container);
      return row;
    }));
  };

  const showGone = (stop) => {
    const box = placeOf(stop.server);
    if (box) {
      box.dataset.shown = "";
      box.replaceChildren(make("p", stop.sentence), make("p", stop.rule, "ds01-rule"));
    }
    return box;
  };

  const refresh = async () => {
    if (document.hidden) { return; }
    let note = "";
    try {
      const answer = await ask("");
      if (answer.ok) {
        const found = await answer.json();
        const used = found.gone.map(showGone);
        const others = [];
        found.containers.forEach((container) => {
          const box = show(container);
          if (box) { used.push(box); } else { others.push(container); }
        });
        showOthers(others);
        document.querySelectorAll(".home-server-row .ds01-life, #ds01-default").forEach((box) => {
          if (!used.includes(box)) { box.remove(); }
        });
        note = found.notes.join(" ");
      } else {
        note = await sentenceOf(answer);
      }
    } catch {
      note = "The hub does not answer. What this page says of your servers may be out of date.";
    }
    find("ds01-notes").textContent = note;
    find("ds01-notes").hidden = note === "";
  };
  refresh();
  setInterval(refresh, SECONDS * 1000);
  document.addEventListener("visibilitychange", refresh);
})();
