// The face of a screen in a browser; see front.py. It renders sections that arrive as custom messages, and sends events.
//
// Text is only ever set as text: there is no innerHTML here, and no value becomes an attribute that can execute.
// Each row carries the id of its token, and an event sends the ids that were seen, never a position. A box that was
// clicked stays as clicked until the kernel has processed that click; then the kernel's selection is what is shown.

const PATIENCE_MS = 4000;
const TYPING_MS = 300;
const SVG = "http://www.w3.org/2000/svg";
const SCHEME = matchMedia("(prefers-color-scheme: dark)");

// A line is never broken within a date or a time: "2026-03-" is half of one.
const WHOLE = /((?:read |as of )?\d{4}-\d\d-\d\d(?: \d\d:\d\d)?(?: UTC)?)/;
const whole = text => text.split(WHOLE).map((part, place) => (place % 2 ? h("span", { class: "tks-whole" }, [part]) : part));

// An element with attributes, listeners (functions, by event) and children; absent and false ones are left out.
function h(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (key === "value" || key === "checked" || key === "indeterminate") node[key] = value;
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, String(value));
  }
  const present = children.flat(9).filter(child => child !== null && child !== undefined && child !== false && child !== "");
  const isText = ["p", "dd", "small", "span", "td", "h3"].includes(name) && attributes.class !== "tks-whole";
  node.append(...(isText ? present.flatMap(child => (typeof child === "string" ? whole(child) : child)) : present));
  return node;
}

const button = (label, click, more = {}) => h("button", { type: "button", click, ...more }, label);
const square = severity => h("span", { class: `tks-square tks-${severity || "none"}`, "aria-hidden": "true" });

function isDark(element) {
  const theme = document.body.dataset.jpThemeLight ?? document.body.dataset.vscodeThemeKind;
  if (theme !== undefined) return theme === "false" || theme.includes("dark");
  for (let node = element.parentElement; node; node = node.parentElement) {
    const [red, green, blue, alpha = 1] = (getComputedStyle(node).backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
    if (alpha > 0.5 && blue !== undefined) return 0.3 * red + 0.6 * green + 0.1 * blue < 110;
  }
  return SCHEME.matches;
}

class Screen {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.state = {};
    this.name = Math.random().toString(36).slice(2);
    this.sequence = 0; // of the last event
    this.pending = new Map(); // by token: the sequence and the state of a click that is not processed yet
    this.wanted = null; // the key of what gets the focus once it is there
    this.anchor = null; // the last row that was clicked, for Shift
    this.said = 0;
    this.build();
    this.receive = content => this.onMessage(content);
    model.on("msg:custom", this.receive);
    this.watcher = new MutationObserver(() => this.onSurroundings());
    this.watcher.observe(el, { attributes: true, attributeFilter: ["class"] });
    this.watcher.observe(document.body, { attributes: true });
    this.surround = () => this.onSurroundings();
    SCHEME.addEventListener("change", this.surround);
    this.settle = () => { if (this.low.textContent) this.settleLow(); };
    addEventListener("resize", this.settle);
    document.addEventListener("scroll", this.settle, { capture: true, passive: true });
    // Front ends mark views whose kernel has ended, but anywidget removes their listener, and hands the event on.
    this.end = () => {
      this.hasEnded = true;
      this.onAck(this.sequence);
      this.showTicks();
      this.onSurroundings();
    };
    model.on("comm_live_update", this.end);
    this.onSurroundings();
    this.send("hello");
  }

  close() {
    this.model.off("msg:custom", this.receive);
    this.model.off("comm_live_update", this.end);
    SCHEME.removeEventListener("change", this.surround);
    removeEventListener("resize", this.settle);
    document.removeEventListener("scroll", this.settle, { capture: true });
    this.watcher.disconnect();
    clearTimeout(this.patience);
    clearTimeout(this.typing);
  }

  // What it consists of

  build() {
    const box = (name, attributes = {}) => (this[name] = h("div", { class: `tks-${name}`, ...attributes }));
    const about = this.model.get("about") ?? {};
    this.live = h("div", { class: "tks-unseen", role: "status", "aria-live": "polite" });
    this.gone = h("div", { class: "tks-gone", hidden: true });
    this.wait = h("div", { role: "status" });
    this.body = h("div", { class: "tks-body" },
      box("head"), box("decision"),
      this.browse = h("div", { class: "tks-browse" },
        box("unfinished"), box("quick"), this.buildBar(), box("pop"), box("charts"), box("acts"),
        h("div", { class: "tks-wrap" }, h("div", { class: "tks-main" }, box("table"), box("foot"), box("adding")), box("panel"))),
      this.low = h("div", { class: "tks-low" }, box("notice"), this.wait));
    this.head.append(h("h2", {}, about.title ?? ""), h("span", { class: "tks-faint" }, about.line ?? ""),
      h("p", { class: "tks-open-it" }, "Run this cell to open it."));
    this.root = h("section", {
      class: "tk", "aria-label": about.title || "tokenkit", "data-lm-suppress-shortcuts": "true",
      keydown: event => this.onKey(event),
    }, this.live, this.gone, this.body);
    this.browse.hidden = true;
    this.el.append(this.root);
  }

  resumer(label, run, key) {
    return button(label, () => {
      this.opener = "list";
      this.wanted = "decision";
      this.send("resume", { run });
    }, { "data-key": key });
  }

  buildBar() {
    this.search = h("input", {
      type: "search", "data-key": "search", spellcheck: "false", autocomplete: "off",
      input: () => this.later(() => this.sendSearch()),
      keydown: event => { if (event.key === "Enter") this.sendSearch(); },
    });
    this.bar = h("div", { class: "tks-bar" });
    this.chips = h("div", { class: "tks-chips" });
    this.bar.append(this.search, this.chips);
    return this.bar;
  }

  // Messages

  send(event, data = {}) {
    this.sequence += 1;
    this.root.dataset.waiting = this.sequence;
    this.beginWait();
    try {
      this.model.send({ event, ...data, ack: [this.name, this.sequence] });
    } catch {
      this.end();
    }
  }

  // From the first event without an answer: further clicks do not postpone the line.
  beginWait() {
    this.patience ??= setTimeout(() => this.sayWait("Waiting for the kernel. If it is busy, your input is kept. If it has ended, run the notebook's cells again."), PATIENCE_MS);
  }

  sayWait(text) {
    if (!text && !this.wait.firstChild) return;
    this.paint(this.wait, text && h("div", { class: "tks-note tks-wait" }, text));
    this.settleLow();
  }

  onMessage(content) {
    if (this.hasEnded) {
      this.hasEnded = false;
      this.onSurroundings();
    }
    if (content.file) return this.beginFile(content.file);
    if (content.part) return this.takePart(content.part);
    const active = this.root.getRootNode().activeElement;
    const had = this.root.contains(active) ? active.dataset.key ?? "" : null;
    if (content.ack?.[0] === this.name) this.onAck(content.ack[1]);
    const changed = content.sections ?? {};
    const before = this.state.decision;
    Object.assign(this.state, changed);
    for (const [name, render] of Object.entries(RENDERERS)) if (name in changed) render.call(this, this.state[name]);
    if ("selection" in changed || "table" in changed || content.ack) this.showTicks();
    if ("decision" in changed) this.onDecision(before, had);
    this.settleFocus(had);
    if (this.state.said && this.state.said.number !== this.said) {
      this.said = this.state.said.number;
      this.say(this.state.said.text);
    }
  }

  onAck(sequence) {
    for (const [id, [number]] of this.pending) if (number <= sequence) this.pending.delete(id);
    clearTimeout(this.patience);
    this.patience = null;
    this.sayWait("");
    if (sequence >= this.sequence) delete this.root.dataset.waiting;
    else this.beginWait();
  }

  say(text) {
    this.live.textContent = "";
    requestAnimationFrame(() => { this.live.textContent = text; });
  }

  later(act) {
    clearTimeout(this.typing);
    this.typing = setTimeout(act, TYPING_MS);
  }

  sendSearch() {
    clearTimeout(this.typing);
    this.send("search", { text: this.search.value });
  }

  // Focus

  find(key) {
    return [...this.root.querySelectorAll("[data-key]")].find(node => node.dataset.key === key);
  }

  focus(key) {
    const node = this.find(key);
    if (!node || node.disabled || !node.getClientRects().length) return false;
    node.focus();
    return true;
  }

  // After a change: where the focus is wanted, else where it was, else at the heading of what is shown.
  settleFocus(had) {
    if (this.wanted && this.focus(this.wanted)) {
      this.wanted = null;
      return;
    }
    if (had === null || this.root.contains(this.root.getRootNode().activeElement)) return;
    if (!this.focus(had) && !this.focus("decision")) this.focus("list");
  }

  onDecision(before, had) {
    const now = this.state.decision;
    this.browse.hidden = Boolean(now) || !("table" in this.state || "entries" in this.state);
    if (now && now.number !== before?.number) {
      this.say([now.title, now.lead, now.error].filter(Boolean).join(" "));
      if (had !== null || this.wanted === "decision") this.wanted = "decision";
    } else if (!now && before) {
      this.wanted = null;
      if (had !== null && !this.focus(this.opener ?? "list")) this.focus("list");
    }
  }

  onKey(event) {
    if (event.key !== "Escape") return;
    const { decision, choices, panel } = this.state;
    event.stopPropagation();
    if (decision) {
      if (!["planning", "running"].includes(decision.phase)) this.send("close");
    } else if (choices?.field) this.closeFilter();
    else if (panel) this.closePanel();
    else if (event.target === this.search && this.search.value) {
      this.search.value = "";
      this.sendSearch();
    }
  }

  onSurroundings() {
    const isGone = this.hasEnded || this.el.classList.contains("jupyter-widgets-disconnected") || Boolean(this.el.closest(".jupyter-widgets-disconnected"));
    const dark = isDark(this.el);
    if (this.root.classList.contains("tks-dark") !== dark) this.root.classList.toggle("tks-dark", dark);
    if (isGone === this.body.inert) return;
    const change = this.state.decision?.phase === "running" ? " The change that was in progress has stopped. To see what remains of it, use %tokens resume." : "";
    this.gone.textContent = `The kernel that this screen belongs to has ended.${change} Run the notebook's cells again.`;
    this.gone.hidden = !isGone;
    if (isGone) this.say(this.gone.textContent);
    this.body.inert = isGone;
  }

  // Replaces the content of a box; what was typed, the focus and the place are kept.
  paint(box, ...nodes) {
    const kept = [...box.querySelectorAll("[data-keep]")].map(node => [node.dataset.key, node.value, node.selectionStart]);
    const active = this.root.getRootNode().activeElement;
    const key = box.contains(active) ? active.dataset.key : null;
    const top = box.scrollTop;
    box.replaceChildren(...nodes.flat().filter(Boolean));
    for (const [name, value, at] of kept) {
      const node = this.find(name);
      if (!node || !("keep" in node.dataset)) continue;
      node.value = value;
      if (name === key) { node.focus(); try { node.setSelectionRange(at, at); } catch { /* not a text field */ } }
    }
    if (key && this.find(key) !== this.root.getRootNode().activeElement) this.focus(key);
    box.scrollTop = top;
  }

  // Selection

  isOn(id) {
    return this.pending.has(id) ? this.pending.get(id)[1] : this.selected.has(id);
  }

  showTicks() {
    const { table, selection } = this.state;
    if (!table || !selection) return;
    this.selected = new Set(selection.ids);
    let on = 0;
    for (const box of this.table.querySelectorAll("tbody input")) {
      box.checked = this.isOn(box.dataset.id);
      box.closest("tr").classList.toggle("tks-selected", box.checked);
      on += box.checked;
    }
    const all = this.find("tick-page");
    if (all) {
      all.checked = on > 0 && on === table.rows.length;
      all.indeterminate = on > 0 && on < table.rows.length;
    }
  }

  tick(ids, on) {
    for (const id of ids) this.pending.set(id, [this.sequence + 1, on]);
    this.send("tick", { ids, on });
    this.showTicks();
  }

  onTick(event) {
    const { id } = event.target.dataset;
    const on = event.target.checked;
    const ids = this.state.table.rows.map(row => row.id);
    const [from, to] = [ids.indexOf(this.anchor), ids.indexOf(id)].sort((one, other) => one - other);
    this.tick(this.isShift && from >= 0 ? [...new Set(ids.slice(from, to + 1))] : [id], on);
    this.anchor = id;
  }

  // Panel and filters

  look(id, key) {
    this.opener = key ?? `look:${id}`;
    this.wanted = "panel";
    if (this.state.panel?.id === id) this.settleFocus("");
    else this.send("look", { id });
  }

  closePanel() {
    this.wanted = this.focusIsIn(this.panel) ? this.opener : null;
    this.send("unlook");
  }

  focusIsIn(box) {
    return box.contains(this.root.getRootNode().activeElement);
  }

  openFilter() {
    this.wanted = "filter-field";
    this.send("choices", { field: this.state.choices?.field || this.state.filters.fields[0].name });
  }

  closeFilter() {
    this.wanted = "filter";
    this.send("choices", { field: "" });
  }

  // Files and the clipboard

  beginFile(file) {
    if (file.parts === 0) return;
    this.file = { ...file, texts: [] };
    this.send("part", { file: file.number, part: 0 });
  }

  takePart({ number, part, text }) {
    if (this.file?.number !== number || part !== this.file.texts.length) return;
    this.file.texts.push(text);
    if (this.file.texts.length < this.file.parts) {
      this.send("part", { file: number, part: part + 1 });
      return;
    }
    const url = URL.createObjectURL(new Blob(this.file.texts, { type: "text/csv;charset=utf-8" }));
    const link = h("a", { href: url, download: this.file.name });
    this.root.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    const { name, selected } = this.file;
    this.file = null;
    this.showNotice(`Downloaded ${name}. If your browser did not save it: `, false,
      button("Write it where the kernel runs", () => this.send("save", { selected }), { class: "tks-link" }));
  }

  // Over the lower edge of the screen, so that it moves nothing.
  showNotice(text, isError, more) {
    const dismiss = () => this.paint(this.notice);
    this.paint(this.notice, text && h("div", { class: `tks-note${isError ? " tks-error" : ""}` }, h("span", {}, text), more,
      button("×", dismiss, { class: "tks-ghost", "aria-label": "Dismiss this message", "data-key": "dismiss" })));
    this.settleLow();
    if (text && (isError || !this.state.decision)) this.say(text); // a result is still being read out
  }

  settleLow() {
    this.low.style.translate = this.browse.hidden ? "" : `0 ${-this.hiddenBelow(this.low)}px`;
  }

  // How far a part of the screen is below what can be seen. JupyterLab scrolls a box around the one in which it would stick.
  hiddenBelow(part) {
    part.style.translate = "";
    let edge = innerHeight;
    for (let box = this.el; box && box !== document.body; box = box.parentElement ?? box.getRootNode().host) {
      if (getComputedStyle(box).overflowY !== "visible") edge = Math.min(edge, box.getBoundingClientRect().bottom);
    }
    const { top, bottom } = part.getBoundingClientRect();
    return Math.max(0, Math.min(bottom + 12 - edge, top - this.root.getBoundingClientRect().top));
  }

  // A button that copies; where the page may not, a field to copy from.
  copier(label, text, key) {
    const place = h("span", { class: "tks-copy" });
    place.append(button(label, async () => {
      try {
        await navigator.clipboard.writeText(text);
        this.say("Copied.");
        place.querySelector("button").textContent = "Copied";
      } catch {
        const field = h("input", { readonly: true, value: text, "aria-label": `${label}: copy from here` });
        place.replaceChildren(field);
        field.focus();
        field.select();
        this.say("Press Control+C to copy.");
      }
    }, { class: "tks-link", "data-key": key }));
    return place;
  }
}

const HINTS = {
  Members: "Users and service principals with permission through this entry",
  "Only this entry": "Those that have permission through no other entry",
  "Affected tokens": "Their active tokens, if only this entry were removed",
};

// The sections, each a function of its data, with the screen as ``this``

const RENDERERS = {
  about(about) {
    this.root.setAttribute("aria-label", `${about.title} of ${about.where}`);
    const item = (label, act) => button(label, () => { this.find("menu").open = false; act(); });
    this.paint(this.head,
      h("h2", { tabindex: "-1", "data-key": "list" }, about.title),
      h("span", { class: "tks-faint" }, about.line, about.lacks && ` · ${about.lacks}`),
      h("span", { class: "tks-right" },
        about.can_refresh && button("Refresh", () => this.send("refresh"), { class: "tks-ghost", "data-key": "refresh" }),
        about.browses !== false && [button("Download CSV", () => this.send("download", { selected: false }), { class: "tks-ghost", "data-key": "download" }),
        button("Charts", () => this.send("charts", { on: !this.state.charts }),
          { class: "tks-ghost", "data-key": "charts", "aria-expanded": String(Boolean(this.state.charts)) }),
        h("details", { class: "tks-menu", "data-key": "menu" }, h("summary", { "aria-label": "More" }, "⋯"),
          h("div", {},
            item("Write CSV where the kernel runs", () => this.send("save", { selected: false })),
            item("Select all that match", () => this.send("tick_matching")),
            item("Clear filters", () => this.send("clear"))))]));
  },

  notice(notice) {
    this.showNotice(notice.text, notice.is_error);
  },

  unfinished(unfinished) {
    this.paint(this.unfinished, unfinished && h("div", { class: "tks-note tks-wait tks-row" }, h("span", {}, unfinished.text),
      this.resumer(unfinished.label, unfinished.run, "resume-unfinished")));
  },

  quick(filters) {
    this.quick.setAttribute("role", "group");
    this.quick.setAttribute("aria-label", "Quick filters");
    this.paint(this.quick, filters.map(filter => h("button", {
      type: "button", class: "tks-pill-button", "aria-pressed": String(filter.on), "data-key": `quick:${filter.value}`,
      click: () => this.send("quick", { value: filter.value }),
    }, filter.severity && square(filter.severity), filter.label, h("b", {}, filter.count.toLocaleString("en-US")))));
  },

  filters(filters) {
    this.bar.hidden = !filters;
    if (!filters) return;
    this.search.placeholder = filters.searched;
    this.search.setAttribute("aria-label", filters.searched);
    if (this.root.getRootNode().activeElement !== this.search || !filters.text) this.search.value = filters.text;
    const chip = ({ field, label }) => button([h("span", {}, label), h("span", { "aria-hidden": "true", class: "tks-x" }, "×")], () => {
      this.wanted = "filter";
      this.send("unfilter", { field });
    }, { class: "tks-chip", "data-key": `chip:${field}`, "aria-label": `Remove filter ${label}` });
    this.paint(this.chips,
      filters.fields.length > 0 && button("+ Filter", () => this.state.choices?.field ? this.closeFilter() : this.openFilter(), { "data-key": "filter", "aria-expanded": "false" }),
      filters.chips.map(chip),
      filters.is_filtered && button("Clear", () => { this.wanted = "search"; this.send("clear"); }, { class: "tks-ghost", "data-key": "clear" }),
      h("span", { class: "tks-right tks-faint" }, filters.match));
  },

  choices(choices) {
    const isOpen = Boolean(choices?.field);
    this.find("filter")?.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) return this.paint(this.pop);
    const { field } = choices;
    const options = this.state.filters.fields.map(({ name, title }) => h("option", { value: name }, title));
    const select = h("select", { "data-key": "filter-field", "aria-label": "Filter by", change: event => this.send("choices", { field: event.target.value }) }, options);
    select.value = field;
    const low = h("input", { class: "tks-days", inputmode: "numeric", value: choices.low, "aria-label": "At least, days", "data-key": `low:${field}`, "data-keep": true });
    const high = h("input", { class: "tks-days", inputmode: "numeric", value: choices.high, "aria-label": "At most, days", "data-key": `high:${field}`, "data-keep": true });
    const apply = () => this.send("filter", { field, low: low.value, high: high.value });
    const enter = event => { if (event.key === "Enter") apply(); };
    low.addEventListener("keydown", enter);
    high.addEventListener("keydown", enter);
    this.paint(this.pop, h("div", { class: "tks-popover", role: "group", "aria-label": "Add a filter" },
      h("div", { class: "tks-row" }, select,
        choices.searchable && h("input", {
          type: "search", placeholder: "Type part of the name", "aria-label": `Find ${choices.title}`, "data-key": `find:${field}`, "data-keep": true, value: choices.query,
          input: event => this.later(() => this.send("choices", { field, query: event.target.value })),
        }),
        choices.is_days && [low, h("span", {}, "to"), high, h("span", {}, "days"), button("Apply", apply, { "data-key": "apply-days" })],
        button("Done", () => this.closeFilter(), { class: "tks-right", "data-key": "filter-done" })),
      h("div", { class: "tks-choices" }, choices.items.map(({ value, label, count, on }) => h("label", {},
        h("input", { type: "checkbox", checked: on, "data-key": `choice:${value}`, change: event => this.send("toggle", { field, value, on: event.target.checked }) }),
        h("span", { title: label }, label), h("b", {}, count.toLocaleString("en-US"))))),
      !choices.items.length && h("p", { class: "tks-faint" }, choices.empty),
      choices.more && h("p", { class: "tks-faint" }, choices.more)));
  },

  charts(charts) {
    this.find("charts")?.setAttribute("aria-expanded", String(Boolean(charts)));
    if (charts?.length === 0) return this.paint(this.charts, h("p", { class: "tks-faint" }, "There is nothing to chart."));
    this.paint(this.charts, (charts ?? []).map(({ field, title, bars }) => {
      const most = Math.max(1, ...bars.map(bar => bar.count));
      return h("figure", {}, h("figcaption", {}, title), bars.map(({ value, label, count, on }) => {
        const svg = document.createElementNS(SVG, "svg");
        svg.setAttribute("viewBox", "0 0 100 10");
        svg.setAttribute("preserveAspectRatio", "none");
        svg.setAttribute("aria-hidden", "true");
        const bar = document.createElementNS(SVG, "rect");
        bar.setAttribute("width", String(count ? Math.max(1.5, 100 * count / most) : 0));
        bar.setAttribute("height", "10");
        svg.append(bar);
        return button([h("span", {}, label), h("b", {}, count.toLocaleString("en-US")), svg], () => this.send("toggle", { field, value, on: !on }), {
          class: "tks-bar-button", "aria-pressed": String(on), "data-key": `bar:${field}:${value}`,
          "aria-label": `${title}: ${label}, ${count} tokens`,
        });
      }));
    }));
  },

  selection({ count, hidden, matching }) {
    const actions = this.state.actions ?? [];
    this.acts.classList.toggle("tks-few", !actions.length);
    // The bar and its hint have the same height: the first tick must not move the rows under the pointer.
    if (!count) {
      const hint = actions.length ? "Select tokens to export, change or revoke them." : "Select tokens to export them.";
      return this.paint(this.acts, matching > 0 && h("p", { class: "tks-hint tks-faint" }, hint));
    }
    const none = () => { this.wanted = "tick-page"; this.send("tick_none"); };
    this.paint(this.acts, h("div", { class: "tks-act-bar", role: "toolbar", "aria-label": "Selected tokens" },
      h("b", {}, `${count.toLocaleString("en-US")} selected`),
      hidden > 0 && h("span", { class: "tks-faint" }, `${hidden.toLocaleString("en-US")} hidden by the filters`),
      count - hidden < matching && button(matching === 1 ? "Select the 1 that matches" : `Select all ${matching.toLocaleString("en-US")} that match`, () => { this.wanted = "clear-selection"; this.send("tick_matching"); }, { class: "tks-ghost", "data-key": "tick-all" }),
      button("Clear selection", none, { class: "tks-ghost", "data-key": "clear-selection" }),
      h("span", { class: "tks-right" },
        button("Export", () => this.send("download", { selected: true }), { "data-key": "export" }),
        actions.map(({ name, label, says, danger }) => button(`${label}${name === "revoke" ? ` ${count.toLocaleString("en-US")}` : ""} …`, () => {
          this.opener = `act:${name}`;
          this.wanted = "decision";
          this.send("act", { action: name });
        }, { class: danger ? "tks-danger" : null, title: says, "data-key": `act:${name}` })))));
  },

  table(table) {
    const head = ({ name, title }) => {
      const on = table.sort === name;
      const arrow = on ? (table.descending ? "▾" : "▴") : "";
      return h("th", { scope: "col", class: `tks-c-${name}`, "aria-sort": on ? (table.descending ? "descending" : "ascending") : null },
        button([title, arrow && h("span", { "aria-hidden": "true" }, arrow)], () => this.send("sort", { column: name }), { "data-key": `sort:${name}` }));
    };
    const all = h("input", {
      type: "checkbox", "aria-label": "Select all tokens on this page", "data-key": "tick-page", disabled: !table.rows.length,
      change: event => this.tick(table.rows.map(row => row.id), event.target.checked),
    });
    this.showPage(table, "Tokens", [h("th", { class: "tks-tick", scope: "col" }, h("label", {}, all)), table.columns.map(head)], table.rows.map(row => this.row(row, table.columns)));
    this.showPanelRow();
  },

  panel(panel) {
    this.panel.hidden = !panel;
    this.root.classList.toggle("tks-has-panel", Boolean(panel));
    this.showPanelRow();
    if (!panel) return this.paint(this.panel);
    const isOther = this.panelSeen !== panel.id;
    this.panelSeen = panel.id;
    const { schedule, use } = panel;
    const pairs = all => h("dl", {}, all.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
    this.paint(this.panel, h("aside", { role: "region", "aria-labelledby": `tks-panel-${this.name}` },
      h("div", { class: "tks-row" },
        h("h3", { id: `tks-panel-${this.name}`, tabindex: "-1", "data-key": "panel" }, panel.title || h("i", {}, "no comment")),
        button("×", () => { this.wanted = this.opener; this.send("unlook"); }, { class: "tks-ghost tks-right", "aria-label": "Close the details", "data-key": "panel-close" })),
      h("p", { class: "tks-faint" }, `${panel.owner || "unknown owner"} · ${panel.kind}`),
      h("p", { class: "tks-faint" }, h("code", {}, panel.token_id)),
      h("p", { class: "tks-copies" }, this.copier("Copy id", panel.token_id, "copy-id"), panel.owner && this.copier("Copy owner", panel.owner, "copy-owner")),
      schedule && h("div", { class: "tks-finding tks-medium" }, h("b", {}, schedule.text),
        h("div", { class: "tks-row" },
          schedule.is_due && this.resumer("Resume the run …", schedule.run, "resume-run"),
          button(schedule.count > 1 ? `Cancel the schedule (${schedule.count} tokens)` : "Cancel the schedule", () => { this.wanted = "panel"; this.send("cancel_schedule", { run: schedule.run }); }, { "data-key": "cancel-schedule" }))),
      panel.findings.map(finding => h("div", { class: `tks-finding tks-${finding.severity || "none"}` },
        h("b", {}, square(finding.severity), finding.title, finding.severity && h("span", { class: "tks-unseen" }, ` (${finding.severity})`)),
        finding.evidence && h("p", {}, finding.evidence), finding.remedy && h("p", {}, finding.remedy))),
      pairs(panel.sentences),
      panel.others.length > 0 && h("ul", { class: "tks-others" }, panel.others.map(other => h("li", {},
        button(other.title, () => this.look(other.id, this.opener), { class: "tks-link", "data-key": `other:${other.id}` }), " ", h("code", {}, other.short)))),
      use && h("div", { class: "tks-use" }, h("h4", {}, "Used by"),
        use.sentences.length > 0 && pairs([...use.sentences, ...use.addresses]), h("p", { class: "tks-faint" }, use.note)),
      h("details", {}, h("summary", { "data-key": "fields" }, `All ${panel.fields.length} fields`), pairs(panel.fields))));
    if (isOther) this.panel.scrollTop = 0;
  },

  // The permission review: its entries, the form below them, and the draft: a bar above and its impact beside them

  entries(entries) {
    this.root.classList.add("tks-review");
    const head = ["Principal", "Members", "Only this entry", "Affected tokens", "Level", ""];
    const level = entry => {
      if (!entry.level) return h("span", { class: "tks-faint" }, "none");
      if (entry.fixed || entry.levels.length === 1) return entry.level;
      const select = h("select", { "aria-label": `Level of ${entry.kind} ${entry.name}`, "data-key": `level:${entry.id}`, change: event => this.send("level", { id: entry.id, level: event.target.value }) },
        entry.levels.map(name => h("option", { value: name }, name)));
      select.value = entry.level;
      return select;
    };
    const row = entry => {
      const act = entry.level ? "Remove" : "Restore";
      return h("tr", { class: entry.change ? "tks-changed" : null },
        h("td", { class: entry.level ? null : "tks-removed" }, h("span", {}, entry.name), h("small", {}, entry.kind, entry.detail && [" · ", h("code", {}, entry.detail)])),
        h("td", {}, entry.members), h("td", {}, entry.alone),
        h("td", {}, entry.tokens, entry.ends && h("small", {}, entry.ends)),
        h("td", {}, level(entry), entry.change && h("span", { class: "tks-badge" }, entry.change)),
        h("td", {}, entry.fixed ? h("span", { class: "tks-faint" }, "fixed")
          : button(act, () => this.send(act.toLowerCase(), { id: entry.id }), { "data-key": `entry:${entry.id}`, "aria-label": `${act} ${entry.kind} ${entry.name}` })));
    };
    this.showPage(entries, "Entries",
      head.map(title => h("th", { scope: "col", title: HINTS[title] }, title || h("span", { class: "tks-unseen" }, "Change"))), entries.rows.map(row));
  },

  adding({ kinds, kind, offered, is_added }) {
    const names = `tks-names-${this.name}`;
    if (is_added && this.find("add-name")) {
      this.find("add-name").value = "";
      this.table.querySelector(".tks-changed:last-child")?.scrollIntoView({ block: "nearest" }); // new entries are the last
    }
    const suggest = () => this.send("suggest", { kind: select.value, text: name.value });
    const add = () => { clearTimeout(this.typing); this.wanted = "add-name"; this.send("add", { kind: select.value, text: name.value }); };
    const select = h("select", { "aria-label": "Kind of principal", "data-key": "add-kind", change: suggest }, kinds.map(([label, value]) => h("option", { value }, label)));
    select.value = kind;
    const name = h("input", {
      type: "text", "data-key": "add-name", "data-keep": true, list: names, "aria-label": "Name", placeholder: "Search by name", autocomplete: "off", spellcheck: "false",
      input: () => this.later(suggest), keydown: event => { if (event.key === "Enter") add(); },
    });
    this.paint(this.adding, h("span", {}, "Add"), select, name,
      h("datalist", { id: names }, offered.map(value => h("option", { value }))), button("Add", add, { "data-key": "add", "aria-label": "Add this entry with CAN_USE" }));
  },

  draft(draft) {
    const some = draft.changes;
    this.paint(this.acts, h("div", { class: some ? "tks-act-bar" : "tks-hint", role: "toolbar", "aria-label": "The draft" },
      h("b", {}, some ? `${some} ${some === 1 ? "change" : "changes"}` : "No changes"),
      h("span", { class: "tks-told tks-faint", title: draft.told }, some ? draft.told : "Nothing changes until you confirm."),
      h("span", { class: "tks-right" },
        button("Discard", () => { this.wanted = "list"; this.send("discard"); }, { "data-key": "discard", "aria-disabled": some ? null : "true" }),
        button("Apply …", () => {
          this.opener = "apply";
          if (!draft.can_apply) return this.say(draft.verdict);
          this.wanted = "decision";
          this.send("apply");
        }, { class: "tks-danger", "data-key": "apply", "aria-disabled": draft.can_apply ? null : "true" }))));
    const box = token => h("label", {}, h("input", { type: "checkbox", checked: token.on, "data-key": `allow:${token.id}`, change: event => this.send("allow", { id: token.id, on: event.target.checked }) }), h("span", {}, token.text));
    this.paint(this.panel, h("aside", { role: "region", "aria-label": "Impact of the draft" }, h("h3", {}, "Impact"), h("p", { class: "tks-verdict" }, draft.verdict), cards(draft.cards),
      draft.protected.length > 0 && h("fieldset", { class: "tks-protected" }, h("legend", {}, "Allow the deletion of protected tokens"), draft.protected.map(box)),
      draft.tables.map(table => rowsTable(table, true))));
  },

  decision(decision) {
    this.decision.hidden = !decision;
    if (!decision) return this.paint(this.decision);
    const { number, phase, errors } = decision;
    // A step of the progress replaces no button, which somebody may be pressing.
    if (phase === "running" && this.running === number) return this.showProgress(decision.progress);
    this.running = phase === "running" ? number : null;
    const title = `tks-decision-${this.name}`;
    const answers = () => Object.fromEntries((decision.fields ?? []).map(field => [field.name, this.answerOf(field)]));
    const close = label => button(label, () => this.send("close"), { "data-key": "close" });
    const buttons = [];
    let typed = null; // its field
    if (phase === "form") {
      buttons.push(close("Cancel"), button(decision.go, () => this.send("submit", { answers: answers() }), { class: "tks-primary", "data-key": "go" }));
    } else if (phase === "asking") {
      const wanted = String(decision.count);
      const isRight = () => decision.count === 0 || count.value.trim().replaceAll(",", "") === wanted;
      const go = button(decision.go, () => this.send("confirm", { number, typed: count.value, answers: answers() }),
        { class: decision.danger ? "tks-danger" : "tks-primary", "data-key": "go", disabled: true });
      const error = h("div", { class: "tks-problem", id: `tks-typed-${this.name}`, role: "alert" }, errors.typed);
      const check = isFinal => {
        go.disabled = !isRight();
        const isWrong = isFinal && count.value.trim() !== "" && !isRight();
        error.textContent = isWrong ? "That is not the number of tokens." : "";
        count.setAttribute("aria-invalid", String(isWrong));
      };
      const count = h("input", {
        inputmode: "numeric", autocomplete: "off", "data-key": `typed:${number}`, "data-keep": true, "aria-describedby": `tks-typed-${this.name}`,
        input: () => check(false), change: () => check(true), blur: () => check(true),
        keydown: event => { // Enter never confirms: it goes to the button that does
          if (event.key !== "Enter") return;
          event.preventDefault();
          check(true);
          if (isRight()) go.focus();
        },
      });
      this.check = check;
      buttons.push(close("Cancel"), go);
      typed = decision.count > 0 && h("label", { class: "tks-field" }, h("span", {}, "Type ", h("b", {}, decision.count.toLocaleString("en-US")), " to confirm"), count, error);
    } else if (phase === "running") {
      buttons.push(button("Stop", () => this.send("stop"), { "data-key": "stop" }));
    } else if (phase !== "planning") {
      buttons.push(close("Close"), ...(decision.buttons ?? []).map(([event, label]) => button(label, () => { this.wanted = "decision"; this.send(event); }, { "data-key": event })));
      buttons.at(-1).classList.add("tks-primary"); // what goes on, if something can
    }
    this.paint(this.decision, h("div", { class: "tks-dialog", role: "dialog", "aria-labelledby": title },
      h("h3", { id: title, tabindex: "-1", "data-key": "decision" }, decision.title),
      decision.lead && h("p", { class: "tks-faint" }, decision.lead),
      decision.error && h("p", { class: "tks-note tks-error" }, decision.error),
      cards(decision.cards ?? []),
      decision.progress && [
        h("progress", { "aria-label": "Progress" }),
        h("p", { class: "tks-step" })],
      (decision.lines ?? []).map(line => h("p", { class: "tks-line" }, line)),
      (decision.tables ?? []).map(table => rowsTable(table, decision.tables.length > 1)),
      h("div", { class: "tks-fields" }, (decision.fields ?? []).map(field => this.field(field, number, errors[field.name])), typed),
      h("div", { class: "tks-row tks-buttons" },
        (decision.copies ?? []).map(([label, text]) => this.copier(label, text, label)),
        decision.run && h("span", { class: "tks-faint" }, "Run ", h("code", {}, decision.run), " ", this.copier("Copy run id", decision.run, "copy-run")),
        h("span", { class: "tks-right" }, buttons))));
    if (phase === "asking") this.check(false);
    if (phase === "running") this.showProgress(decision.progress);
  },
};

Object.assign(Screen.prototype, {
  // A page of a table, and below it its place and the ways to other pages; see paging.py.
  showPage(table, label, head, rows) {
    const seen = `${table.page} ${table.sort} ${table.descending}`;
    this.paint(this.table, h("table", { "aria-label": label }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)),
      table.empty && h("div", { class: "tks-empty" }, h("p", {}, table.empty),
        this.state.filters?.is_filtered !== false && table.empty.includes("filters") && button("Clear filters", () => { this.wanted = "search"; this.send("clear"); }, { "data-key": "clear-empty" })));
    if (this.tableSeen !== seen) this.table.scrollTop = 0;
    this.tableSeen = seen;
    const turn = (sign, name, page, key) => button(sign, () => this.send("turn", { page }), {
      "aria-label": name, "data-key": key, "aria-disabled": page < 0 || page >= table.pages ? "true" : null,
    });
    const size = h("select", { "aria-label": "Rows per page", "data-key": "size", change: event => this.send("size", { size: Number(event.target.value) }) },
      table.sizes.map(number => h("option", { value: number }, `${number} per page`)));
    size.value = String(table.size);
    this.paint(this.foot, table.place && [h("span", {}, table.place), h("span", { class: "tks-right" },
      table.pages > 1 && [turn("‹", "Previous page", table.page - 1, "previous"),
        h("span", {}, `Page ${(table.page + 1).toLocaleString("en-US")} of ${table.pages.toLocaleString("en-US")}`),
        turn("›", "Next page", table.page + 1, "next")], size)]);
  },

  row(row, columns) {
    const cells = {
      comment: () => [
        h("button", { type: "button", class: "tks-open", "data-key": `look:${row.id}`, click: () => this.look(row.id) }, row.title || h("i", {}, "no comment")),
        row.badge && h("span", { class: "tks-badge" }, row.badge),
        // The id is whole or hidden, never a part of it.
        h("small", { class: "tks-owner" },
          h("span", {}, row.kind === "service_principal" && h("span", { title: "service principal" }, "⚙ "), row.owner || "unknown owner",
            row.kind === "deleted" && " (deleted)"), " ", h("span", {}, "· ", h("code", {}, row.short))),
        row.workspace && h("small", { class: "tks-where" }, row.workspace)],
      danger: () => {
        const hidden = row.findings.length - 1 + row.more; // in a narrow screen
        return [row.findings.map(([severity, title], place) => h("span", { class: `tks-pill${place ? " tks-wide-only" : ""}` },
          square(severity), title, severity && h("span", { class: "tks-unseen" }, `, ${severity} risk`))),
        row.more > 0 && h("span", { class: "tks-pill tks-wide-only" }, `+${row.more}`),
        hidden > 0 && h("span", { class: "tks-pill tks-narrow" }, `+${hidden}`)];
      },
      last_used_day: () => [row.used[0], h("small", {}, row.used[1])],
      used_by: () => [row.used_by[0], h("small", {}, row.used_by[1])],
      expiry_time: () => [h("span", { class: row.expires[2] ? `tks-t-${row.expires[2]}` : null }, row.expires[0]), h("small", {}, row.expires[1])],
      scopes: () => row.scopes.map(scope => h("span", { class: "tks-pill" }, scope)),
      workspace: () => row.workspace,
    };
    const box = h("input", {
      type: "checkbox", "data-id": row.id, "data-key": `tick:${row.id}`, "aria-label": `Select ${row.title || "token without a comment"}, ${row.short}`,
      click: event => { this.isShift = event.shiftKey; }, change: event => this.onTick(event),
    });
    return h("tr", {
      "data-row": row.id,
      click: event => { if (!event.target.closest("label, input, button, a")) this.look(row.id); },
    }, h("td", { class: "tks-tick" }, h("label", {}, box)), columns.map(({ name }) => h("td", { class: `tks-c-${name}` }, cells[name]?.() ?? "")));
  },

  showProgress({ done, total, text, stopping }) {
    const bar = this.decision.querySelector("progress");
    bar.max = total;
    bar.value = done;
    this.decision.querySelector(".tks-step").textContent = text;
    const stop = this.find("stop");
    stop.textContent = stopping ? "Stopping …" : "Stop";
    if (stopping || done >= total) stop.setAttribute("aria-disabled", "true"); // it keeps the focus
  },

  showPanelRow() {
    for (const row of this.table.querySelectorAll("tbody tr")) row.classList.toggle("tks-shown", row.dataset.row === this.state.panel?.id);
  },

  // A field of a decision; its answer is found in the page again.
  field(field, number, problem) {
    const { name, label, value, choices, several } = field;
    const key = `${name}:${number}`;
    const id = `tks-${name}-${this.name}`;
    const tell = () => { if (this.state.decision?.phase === "asking" && choices.length) this.later(() => this.send("answer", { answers: { [name]: this.answerOf(field) } })); };
    const known = choices.map(([choice]) => choice);
    const given = several ? value.split(",").map(item => item.trim()).filter(Boolean) : [value];
    const own = given.filter(item => !known.includes(item)).join(", ");
    const input = h("input", {
      "data-key": key, "data-keep": true, "data-answer": name, value: choices.length ? own : value, autocomplete: "off", "aria-describedby": id, "aria-invalid": String(Boolean(problem)),
      "aria-label": choices.length ? (several ? "Others, separated by commas" : "Other, such as 21d") : null,
      placeholder: choices.length ? (several ? "others, separated by commas" : "other, such as 21d") : null,
      keydown: event => { if (event.key === "Enter") event.preventDefault(); },
      input: event => {
        if (!several && event.target.value) for (const box of this.decision.querySelectorAll(`[data-choice="${name}"]`)) box.checked = false;
        tell();
      },
    });
    const error = h("div", { class: "tks-problem", id }, problem);
    if (!choices.length) return h("label", { class: "tks-field tks-wide" }, h("span", {}, label), input, error);
    const option = ([choice, title]) => h("label", {}, h("input", {
      type: several ? "checkbox" : "radio", name: id, value: choice, checked: given.includes(choice), "data-choice": name, "data-key": `${key}:${choice}`,
      change: () => { if (!several) input.value = ""; tell(); },
    }), title);
    return h("fieldset", { class: `tks-field${several ? " tks-several" : ""}` }, h("legend", {}, label), h("div", { class: "tks-options" }, choices.map(option), input), error);
  },

  answerOf({ name, choices, several }) {
    const own = this.decision.querySelector(`[data-answer="${name}"]`)?.value.trim() ?? "";
    if (!choices.length) return own;
    const chosen = [...this.decision.querySelectorAll(`[data-choice="${name}"]`)].filter(box => box.checked).map(box => box.value);
    return several ? [...chosen, own].filter(Boolean).join(", ") : own || chosen[0] || "";
  },
});

const cards = all => all.length > 0 && h("ul", { class: "tks-cards" }, all.map(({ count, label, level }) =>
  h("li", { class: level ? `tks-${level}` : null }, h("b", {}, count.toLocaleString("en-US")), h("span", {}, label))));

// A table of cells; see plan_table.py.
function rowsTable({ caption, columns, rows, more }, isNamed) {
  const cell = ([kind, ...values]) => {
    if (kind === "token") {
      const [title, owner, short] = values;
      return [title || h("i", {}, "no comment"), h("small", {}, owner && `${owner} · `, h("code", { class: "tks-whole" }, short))];
    }
    if (kind === "two" || kind === "principal") return [values[0], h("small", {}, values[1])];
    if (kind === "pills") return values[0].map((text, place) => h("span", { class: "tks-pill" }, values[1]?.[place] && square(values[1][place]), text));
    return kind === "outcome" ? [square(values[1]), h("b", {}, values[0])] : values[0];
  };
  return h("div", {}, isNamed && h("p", { class: "tks-caption" }, caption), h("div", { class: "tks-rows", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { "aria-label": caption }, h("thead", {}, h("tr", {}, columns.map(title => h("th", { scope: "col" }, title)))),
      h("tbody", {}, rows.map(row => h("tr", {}, row.map(value => h("td", { class: `tks-k-${value[0]}` }, cell(value))))))),
    more && h("p", { class: "tks-faint" }, more)));
}

function render({ model, el }) {
  const screen = new Screen(model, el);
  return () => screen.close();
}

export default { render };
