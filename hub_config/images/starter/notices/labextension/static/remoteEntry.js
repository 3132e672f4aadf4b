/**
 * Shows the notices of DS01 in JupyterLab: what is stopped when and why, with "Keep it running".
 *
 * A prebuilt extension as JupyterLab loads it (a module federation remote), written by hand so
 * that it needs no build: what is read here is what runs. JupyterLab's own modules come from the
 * scope that it shares. `?v=` in package.json is the hash of this file, for the browser's cache.
 */
(() => {
  'use strict';

  const NAME = 'ds01-notices';
  const POLL_MS = 15000;
  const ANSWER_MS = 10000;
  const LOOK_MS = 200;
  const LOOKS = 50;
  const MINUTE_MS = 60000;
  const DAY_MINUTES = 24 * 60;
  // JupyterLab cuts what a toast says after so many characters.
  const TOAST_CHARACTERS = 140;
  const TYPES = { final_warning: 'error', warning: 'warning', storage: 'warning' };

  let sharedScope;

  /** JupyterLab's own copy of one of its packages; null where it shares none. */
  async function shared(name) {
    const versions = Object.values(sharedScope?.[name] ?? {});
    const version = versions.find(each => each.loaded) ?? versions[0];
    if (!version) {
      return null;
    }
    const factory = await version.get();
    version.loaded = 1;
    return factory();
  }

  // --- words -------------------------------------------------------------------------------

  function cut(words, characters) {
    return words.length > characters ? `${words.slice(0, characters - 1)}…` : words;
  }

  function many(count, unit) {
    return `${count} ${unit}${count === 1 ? '' : 's'}`;
  }

  /** How long `minutes` are, in words, as exact as one plans with. */
  function span(minutes) {
    if (minutes < 60) {
      return many(minutes, 'minute');
    }
    if (minutes < DAY_MINUTES) {
      const rest = minutes % 60;
      return many(Math.floor(minutes / 60), 'hour') + (rest ? ` ${many(rest, 'minute')}` : '');
    }
    const hours = Math.floor((minutes % DAY_MINUTES) / 60);
    const days = many(Math.floor(minutes / DAY_MINUTES), 'day');
    return days + (hours ? ` ${many(hours, 'hour')}` : '');
  }

  /** Time of the day as people here write it, with the day where it is not today. */
  function clock(moment, now) {
    const options = { hour: '2-digit', minute: '2-digit' };
    if (moment.toDateString() !== now.toDateString()) {
      Object.assign(options, { weekday: 'short', day: 'numeric', month: 'short' });
    }
    return moment.toLocaleString([], options);
  }

  /** The time left until `deadline`, or nothing where there is none. */
  function timeLeft(deadline, now) {
    const moment = new Date(deadline ?? NaN);
    if (isNaN(moment)) {
      return '';
    }
    const minutes = Math.floor((moment - now) / MINUTE_MS);
    if (minutes < 1) {
      return moment > now ? 'In less than a minute.' : 'At any moment now.';
    }
    return `In ${span(minutes)}, at ${clock(moment, now)}.`;
  }

  // --- one notice --------------------------------------------------------------------------

  /** Remembers, as long as this browser tab lives, which notices the person has put away. */
  const putAway = {
    has(id) {
      try {
        return sessionStorage.getItem(`${NAME}:${id}`) !== null;
      } catch {
        return false;
      }
    },
    add(id) {
      try {
        sessionStorage.setItem(`${NAME}:${id}`, '');
      } catch {
        // The browser keeps nothing: after a reload the notice is shown again.
      }
    }
  };

  /** A notice as the person sees it: a toast, or an entry of the notification list. */
  class Shown {
    constructor(lab, notice) {
      this.lab = lab;
      this.notice = notice;
      this.toastSeen = false;
      this.hidden = putAway.has(notice.id);
      this.removed = false;
      this.keptUntil = null;
      this.problem = '';
      this.message = '';
      this.key = null;
    }

    /** Show, or correct what is shown. Nothing happens where it already says what it should. */
    render(notice, now) {
      this.notice = notice;
      this.noteWhetherPutAway();
      const { message, complete } = this.words(now);
      if (this.removed || message === this.message) {
        return;
      }
      this.message = message;
      const options = {
        // Zero: in the list of notifications alone, so that what was put away does not come back.
        autoClose: this.hidden ? 0 : false,
        actions: this.actions(complete)
      };
      if (this.key === null) {
        this.key = this.lab.manager.notify(message, this.type, options);
        this.lookForToast(LOOKS);
      } else {
        this.lab.manager.update({ id: this.key, message, type: this.type, ...options });
      }
    }

    get type() {
      return this.keptUntil ? 'success' : (TYPES[this.notice.kind] ?? 'info');
    }

    /** Toasts come a little later, or not at all: people can switch them off. */
    lookForToast(looks) {
      this.toastSeen = document.getElementById(this.key) !== null;
      if (!this.toastSeen && looks > 0) {
        setTimeout(() => this.lookForToast(looks - 1), LOOK_MS);
      }
    }

    /** The toast can be hidden, and the entry of the list removed. Neither comes back by itself. */
    noteWhetherPutAway() {
      if (this.key === null) {
        return;
      }
      this.removed ||= !this.lab.manager.has(this.key);
      const toast = document.getElementById(this.key);
      if (toast) {
        this.toastSeen = true;
        // Read out once. The countdown would make a screen reader repeat it every minute.
        toast.querySelector('[role=alert]')?.setAttribute('aria-live', 'off');
      } else {
        this.hidden ||= this.toastSeen;
      }
      if (this.hidden || this.removed) {
        putAway.add(this.notice.id);
      }
    }

    /** What the toast says, and whether that is everything. */
    words(now) {
      const { title, text, deadline } = this.notice;
      if (this.keptUntil) {
        const until = clock(this.keptUntil, now);
        return { message: `Your server is kept running, until ${until} at most.`, complete: true };
      }
      const left = timeLeft(deadline, now);
      const room = TOAST_CHARACTERS - (left && left.length + 1);
      const lines = [cut(this.problem || title, room), left];
      const all = [...lines, text].filter(Boolean).join('\n');
      const complete = !this.problem && title.length <= room && all.length <= TOAST_CHARACTERS;
      return { message: complete ? all : lines.filter(Boolean).join('\n'), complete };
    }

    actions(complete) {
      const actions = [];
      if (this.notice.keep_until && !this.keptUntil) {
        actions.push({
          label: 'Keep it running',
          caption: 'Ask for more time for this server',
          displayType: 'accent',
          callback: event => {
            event.preventDefault();
            void this.keep();
          }
        });
      }
      if (!complete) {
        actions.push({
          label: 'Details',
          caption: 'Why, and what you can do',
          callback: event => {
            event.preventDefault();
            void this.lab.explain(this.notice);
          }
        });
      }
      return actions;
    }

    async keep() {
      this.problem = await this.lab.keepRunning();
      if (!this.problem) {
        // A toast of its own, so that it looks like good news and is read out.
        this.lab.manager.dismiss(this.key);
        this.keptUntil = new Date(this.notice.keep_until);
        this.key = null;
        this.toastSeen = false;
      }
      this.message = '';
      this.render(this.notice, this.lab.now());
    }

    withdraw() {
      this.removed = true;
      this.lab.manager.dismiss(this.key);
    }
  }

  // --- the server --------------------------------------------------------------------------

  /** JupyterLab and the server behind it, as far as notices need them. */
  class Lab {
    constructor(apputils, services, widgets) {
      this.apputils = apputils;
      this.manager = apputils.Notification.manager;
      this.connection = services.ServerConnection;
      this.widgets = widgets;
      this.settings = this.connection.makeSettings();
      this.clockAheadMs = 0;
    }

    /** The moment by the server's clock: a laptop's may be wrong. */
    now() {
      return new Date(Date.now() + this.clockAheadMs);
    }

    async ask(path, method) {
      const url = `${this.settings.baseUrl.replace(/\/?$/, '/')}ds01/${path}`;
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), ANSWER_MS);
      try {
        const init = { method, cache: 'no-store', signal: stop.signal };
        const response = await this.connection.makeRequest(url, init, this.settings);
        this.setClock(response.headers.get('Date'));
        return { ok: response.ok, body: await response.json() };
      } finally {
        clearTimeout(timer);
      }
    }

    setClock(date) {
      const aheadMs = new Date(date ?? NaN) - Date.now();
      if (!isNaN(aheadMs)) {
        this.clockAheadMs = Math.abs(aheadMs) > MINUTE_MS ? aheadMs : 0;
      }
    }

    /** The notices that stand now; null where that cannot be told. */
    async notices() {
      try {
        const { ok, body } = await this.ask('notices', 'GET');
        return ok && Array.isArray(body.notices) ? body.notices : null;
      } catch {
        return null;
      }
    }

    /** Ask for more time; what went wrong, in a sentence, or nothing. */
    async keepRunning() {
      try {
        const { ok, body } = await this.ask('keep-running', 'POST');
        return ok ? '' : (body.message ?? 'That did not work.');
      } catch {
        return 'Your server does not answer. Try again in a moment.';
      }
    }

    async explain(notice) {
      const body = new this.widgets.Widget();
      const left = timeLeft(notice.deadline, this.now());
      body.node.textContent = [left, notice.text].filter(Boolean).join('\n\n');
      body.node.style.whiteSpace = 'pre-line';
      const { Dialog, showDialog } = this.apputils;
      await showDialog({ title: notice.title, body, buttons: [Dialog.okButton({ label: 'OK' })] });
    }
  }

  /** Asks every 15 s while the page is looked at, and at once when somebody comes back to it. */
  class Watch {
    constructor(lab) {
      this.lab = lab;
      this.shown = new Map();
      this.asking = false;
      this.timer = undefined;
    }

    start() {
      document.addEventListener('visibilitychange', () => void this.pass());
      void this.pass();
    }

    async pass() {
      clearTimeout(this.timer);
      if (this.asking || document.visibilityState !== 'visible') {
        return;
      }
      this.asking = true;
      try {
        this.show(await this.lab.notices());
      } finally {
        this.asking = false;
        this.timer = setTimeout(() => void this.pass(), POLL_MS);
      }
    }

    /** Without an answer (null) what is known still stands, and its time goes on. */
    show(notices) {
      const standing = notices ?? [...this.shown.values()].map(each => each.notice);
      const ids = new Set(standing.map(notice => notice.id));
      for (const [id, shown] of this.shown) {
        if (!ids.has(id)) {
          shown.withdraw();
          this.shown.delete(id);
        }
      }
      for (const notice of standing) {
        if (!this.shown.has(notice.id)) {
          this.shown.set(notice.id, new Shown(this.lab, notice));
        }
        this.shown.get(notice.id).render(notice, this.lab.now());
      }
    }
  }

  // --- wizards -----------------------------------------------------------------------------

  /**
   * Keys pressed in a wizard are the wizard's. JupyterLab takes an arrow or a letter in a drop-down
   * list for a command: it would choose, or make, another cell.
   */
  function leaveKeysToWizards() {
    const leave = ({ target, ctrlKey, altKey, metaKey }) => {
      if (target instanceof Element && target.closest('.ds01')) {
        target.toggleAttribute('data-lm-suppress-shortcuts', !(ctrlKey || altKey || metaKey));
      }
    };
    window.addEventListener('keydown', leave, true);
  }

  const plugin = {
    id: `${NAME}:plugin`,
    description: 'Shows what DS01 has to tell about this server.',
    autoStart: true,
    activate: async app => {
      leaveKeysToWizards();
      const apputils = await shared('@jupyterlab/apputils');
      const services = await shared('@jupyterlab/services');
      const widgets = await shared('@lumino/widgets');
      if (!apputils?.Notification?.manager || !services?.ServerConnection || !widgets?.Widget) {
        return;
      }
      void app.restored.then(() => new Watch(new Lab(apputils, services, widgets)).start());
    }
  };

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB[NAME] = {
    init: scope => {
      sharedScope = scope;
    },
    get: async () => () => ({ __esModule: true, default: plugin })
  };
})();
