"use strict";
// The page's own script: tables that sort and filter, heatmaps that tell their values, panels to switch between.
// Text from data goes into text nodes only. No library, no network, no storage.
(() => {
  const DATA = JSON.parse(document.getElementById("page-data").textContent);
  const MINUS = "\u2212", DASH = "\u2013", PAGE = 25, WHOLE = 60, FEW = 16, TIE = 1e-9;
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  document.documentElement.classList.add("js");

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children);
    return node;
  };

  // --- numbers as text: as xltransfer.report.numbers writes them -------------------------------------------------
  const grouped = (text) => {
    const [whole, rest] = text.split(".");
    return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest === undefined ? "" : "." + rest);
  };
  const number = (given, digits) => {
    if (given === null) return DASH;
    const value = Math.abs(given) > TIE ? given : 0;
    let shown = Math.abs(value).toFixed(digits);
    if (value !== 0 && Number(shown) === 0) {
      const exponent = -Math.floor(Math.log10(Math.abs(value)));
      shown = exponent <= 6 ? Math.abs(value).toFixed(exponent) : Math.abs(value).toExponential(0);
    }
    return (value < 0 ? MINUS : "") + grouped(shown);
  };
  const text = (column, value) => {
    if (column.kind === "p") return value === null ? DASH : value < 0.001 ? "< 0.001" : value.toFixed(3);
    if (column.kind === "integer") return number(value, 0);
    return number(value, column.digits);
  };

  // --- tables -----------------------------------------------------------------------------------------------------
  // A filter of a numeric column is ">1", "<= -2", "0..5", or a text that the number as it is shown contains.
  const numericFilter = (query) => {
    const plain = query.replaceAll(MINUS, "-").replaceAll(",", "").trim();
    const real = "([+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?)";
    let found = plain.match(new RegExp(`^${real}\\s*\\.\\.\\s*${real}$`, "i"));
    if (found) return (value) => value !== null && value >= Number(found[1]) && value <= Number(found[2]);
    found = plain.match(new RegExp(`^(<=|>=|<|>|=)\\s*${real}$`, "i"));
    if (!found) return null;
    const limit = Number(found[2]);
    const holds = { "<": (v) => v < limit, ">": (v) => v > limit, "<=": (v) => v <= limit, ">=": (v) => v >= limit, "=": (v) => v === limit }[found[1]];
    return (value) => value !== null && holds(value);
  };

  class Table {
    constructor(host, spec) {
      this.spec = spec;
      this.columns = spec.columns.map((column, j) => this.column(column, spec.values[j]));
      this.rows = Array.from({ length: spec.rows }, (_, i) => i);
      this.kept = this.rows;
      this.sorted = { column: null, down: false };
      this.page = 0;
      this.size = spec.rows <= WHOLE ? WHOLE : PAGE;
      this.queries = this.columns.map(() => "");
      this.query = "";
      this.build(host);
      this.show();
    }

    // A column with its text and its sort key by row; texts are ranked once, so that sorting compares numbers.
    column(meta, values) {
      if (Array.isArray(values)) {
        return { meta, text: (i) => text(meta, values[i]), key: (i) => values[i], value: (i) => values[i], isText: false };
      }
      const order = values.of.map((_, j) => j).sort((a, b) => collator.compare(values.of[a], values.of[b]));
      const rank = [];
      order.forEach((j, place) => { rank[j] = values.of[j] === DASH || values.of[j] === "" ? null : place; });
      const short = values.of.every((name) => name.length <= 34);
      return { meta, text: (i) => values.of[values.at[i]], key: (i) => rank[values.at[i]], isText: true, of: values.of, short };
    }

    build(host) {
      const title = host.getAttribute("aria-label");
      this.body = make("tbody");
      this.heads = this.columns.map((column, j) => {
        const label = [column.meta.head];
        if (column.meta.unit) label.push(make("span", { class: "unit" }, ` ${column.meta.unit}`));
        const button = make("button", { type: "button", title: column.meta.hint || null, onclick: () => this.sort(j) }, ...label);
        return make("th", { scope: "col", class: column.isText ? "t" : "n", "aria-sort": "none" }, button);
      });
      const head = make("thead", {}, make("tr", {}, ...this.heads));
      const few = this.spec.rows <= FEW;
      this.filters = make("tr", { class: "filters", hidden: true }, ...this.columns.map((column, j) => this.filter(column, j)));
      head.append(this.filters);
      this.status = make("span", { role: "status", "aria-live": "polite" });
      const search = make("input", {
        type: "search", placeholder: "Filter all columns", "aria-label": `Filter ${title}`,
        oninput: (event) => { this.query = event.target.value; this.refilter(); },
      });
      const toggle = make("button", { type: "button", "aria-expanded": "false", onclick: () => {
        this.filters.hidden = !this.filters.hidden;
        toggle.setAttribute("aria-expanded", String(!this.filters.hidden));
      } }, "Filter by column");
      const tools = make("div", { class: "tools" }, search, toggle);
      if (few) tools.hidden = true;
      const scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, make("table", {}, head, this.body));
      host.querySelector(".body").append(tools, scroll, this.pager());
    }

    filter(column, j) {
      const label = `Filter ${column.meta.head}`;
      const changed = (event) => { this.queries[j] = event.target.value; this.refilter(); };
      if (column.isText && column.of.length <= 12) {
        const options = column.of.map((_, i) => i).sort((a, b) => collator.compare(column.of[a], column.of[b]));
        return make("th", {}, make("select", { "aria-label": label, onchange: changed }, make("option", { value: "" }, "all"),
          ...options.map((i) => make("option", { value: `=${column.of[i]}` }, column.of[i] || "(empty)"))));
      }
      const hint = column.isText ? "contains" : "> 0, 1..2";
      return make("th", {}, make("input", { type: "text", "aria-label": label, placeholder: hint, oninput: changed }));
    }

    pager() {
      const step = (name, by) => make("button", { type: "button", onclick: () => { this.page += by; this.show(); } }, name);
      this.back = step("Previous", -1);
      this.next = step("Next", 1);
      const sizes = [25, 100, 500].map((n) => make("option", { value: n }, `${n} rows`));
      this.sizes = make("select", { "aria-label": "Rows a page", onchange: (event) => { this.size = Number(event.target.value); this.page = 0; this.show(); } }, ...sizes);
      this.controls = make("span", { class: "controls" }, this.back, " ", this.next, " ", this.sizes);
      return make("div", { class: "pager" }, this.status, this.controls);
    }

    sort(j) {
      this.sorted = { column: j, down: this.sorted.column === j ? !this.sorted.down : false };
      this.heads.forEach((head, i) => head.setAttribute("aria-sort", i !== j ? "none" : this.sorted.down ? "descending" : "ascending"));
      this.page = 0;
      this.arrange();
    }

    refilter() {
      const needle = this.query.trim().toLowerCase();
      const tests = this.queries.flatMap((query, j) => (query.trim() ? [this.test(this.columns[j], query)] : []));
      this.kept = this.rows.filter((i) => tests.every((test) => test(i)) && (!needle || this.columns.some((c) => c.text(i).toLowerCase().includes(needle))));
      this.page = 0;
      this.arrange();
    }

    test(column, query) {
      if (column.isText) {
        if (query.startsWith("=") && column.of.includes(query.slice(1))) return (i) => column.text(i) === query.slice(1);
        const part = query.trim().toLowerCase();
        return (i) => column.text(i).toLowerCase().includes(part);
      }
      const holds = numericFilter(query);
      if (holds) return (i) => holds(column.value(i));
      const part = query.trim().replaceAll("-", MINUS);
      return (i) => column.text(i).includes(part);
    }

    // Undefined stands last in either direction; ties keep the order of the file.
    arrange() {
      const { column, down } = this.sorted;
      if (column !== null) {
        const key = this.columns[column].key, sign = down ? -1 : 1;
        this.kept = this.kept.slice().sort((a, b) => {
          const x = key(a), y = key(b);
          if (x === null || y === null) return (x === null) - (y === null) || a - b;
          return sign * (x - y) || a - b;
        });
      }
      this.show();
    }

    show() {
      const pages = Math.max(1, Math.ceil(this.kept.length / this.size));
      this.page = Math.min(Math.max(this.page, 0), pages - 1);
      const start = this.page * this.size, shown = this.kept.slice(start, start + this.size);
      this.body.replaceChildren(...shown.map((i) => make("tr", {}, ...this.columns.map((column) => {
        const content = column.text(i);
        return column.isText ? make("td", { class: column.short ? "t s" : "t" }, make("bdi", {}, content)) : make("td", { class: "n" }, content);
      }))));
      const all = this.spec.rows, total = this.kept.length;
      const range = total > shown.length ? `rows ${grouped(String(start + 1))} to ${grouped(String(start + shown.length))} of ` : "";
      this.status.textContent = `${range}${grouped(String(total))} ${total === 1 ? "row" : "rows"}` + (total < all ? `, filtered from ${grouped(String(all))}` : "");
      this.back.disabled = this.page === 0;
      this.next.disabled = this.page >= pages - 1;
      this.controls.hidden = all <= WHOLE;
      this.status.parentNode.hidden = all <= FEW;
    }
  }

  // --- heatmaps ---------------------------------------------------------------------------------------------------
  const tip = document.getElementById("tip");
  const measure = document.createElement("canvas").getContext("2d");
  const FONT = 'system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';

  class Heatmap {
    constructor(host, spec, cells) {
      Object.assign(this, { host, spec, cells, drawn: false, at: null });
      this.scroll = host.querySelector(".scroll");
      this.readout = host.querySelector(".readout");
    }

    // Cells are as wide as the page allows between 11 and 34 pixels; on narrower pages they scroll under the row labels.
    lay() {
      const rows = this.spec.rows.length, columns = this.spec.columns.length;
      this.font = 10.5;
      measure.font = `${this.font}px ${FONT}`;
      const widest = (labels) => Math.ceil(Math.max(...labels.map((label) => measure.measureText(label.text).width)));
      this.left = widest(this.spec.rows) + 14;
      this.top = widest(this.spec.columns) + 14;
      const room = (this.scroll.clientWidth || 1000) - this.left - 8;
      this.w = Math.max(11, Math.min(34, Math.floor(room / columns)));
      this.h = Math.max(13, Math.min(24, this.w));
      this.width = Math.max(columns * this.w + 4, Math.min(320, room));
      this.height = this.top + rows * this.h + 46;
    }

    sheet(width, attributes) {
      const ratio = Math.min(3, Math.max(2, window.devicePixelRatio || 1));
      const canvas = make("canvas", attributes);
      canvas.width = width * ratio;
      canvas.height = this.height * ratio;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${this.height}px`;
      const g = canvas.getContext("2d");
      g.scale(ratio, ratio);
      g.fillStyle = "#fff";
      g.fillRect(0, 0, width, this.height);
      g.font = `${this.font}px ${FONT}`;
      return [canvas, g];
    }

    draw() {
      if (this.drawn) return;
      this.drawn = true;
      this.lay();
      const title = this.scroll.getAttribute("aria-label");
      const [names, pen] = this.sheet(this.left, { class: "names", "aria-hidden": "true" });
      const [canvas, g] = this.sheet(this.width, { tabindex: "0", role: "img", "aria-label": `${title}; arrow keys move between cells` });
      this.canvas = canvas;
      this.cursor = make("div", { class: "cursor", hidden: true });
      this.scroll.replaceChildren(names, make("div", { class: "cells" }, canvas, this.cursor));
      // On paper the whole picture has to fit on a landscape A4: 1030 by 530 pixels, beside its headings.
      const fit = Math.min(1, 1030 / (this.left + this.width), 530 / this.height);
      this.scroll.style.setProperty("--fit", fit.toFixed(3));
      this.spec.rows.forEach((_, i) => this.spec.columns.forEach((_, j) => this.cell(g, i, j)));
      this.rowLabels(pen);
      this.columnLabels(g);
      this.legend(g);
      this.listen();
    }

    // Null where the value is undefined, undefined where nothing was measured.
    value(i, j) {
      const k = this.spec.at[i * this.spec.columns.length + j];
      return k === null ? undefined : this.cells.estimate[k];
    }

    cell(g, i, j) {
      const value = this.value(i, j), x = j * this.w, y = this.top + i * this.h;
      const mark = Number(this.spec.marks[i * this.spec.columns.length + j]);
      if (value === undefined) return this.hatch(g, x, y);
      // Not separable from 0: a small square, as in the figure.
      const inset = mark & 1 ? 0.24 : 0;
      g.fillStyle = value === null ? DATA.colours.undefined : this.colour(value);
      g.fillRect(x + inset * this.w, y + inset * this.h, (1 - 2 * inset) * this.w - 0.5, (1 - 2 * inset) * this.h - 0.5);
      if (mark & 2) {
        g.strokeStyle = "#222";
        g.lineWidth = 1;
        g.strokeRect(x + 1, y + 1, this.w - 2.5, this.h - 2.5);
      }
    }

    hatch(g, x, y) {
      g.strokeStyle = "#b0b0b0";
      g.lineWidth = 0.5;
      g.beginPath();
      for (let k = 0; k < this.h; k += 4) {
        g.moveTo(x, y + k);
        g.lineTo(x + Math.min(this.w, k), y + Math.max(0, k - this.w));
      }
      g.stroke();
    }

    colour(value) {
      const lut = DATA.colours.diverging, half = (lut.length - 1) / 2;
      const place = Math.round(half + (half * value) / this.spec.limit);
      return lut[Math.min(lut.length - 1, Math.max(0, place))];
    }

    rowLabels(g) {
      g.textBaseline = "middle";
      g.textAlign = "right";
      this.spec.rows.forEach((label, i) => {
        g.fillStyle = label.ink;
        g.fillText(label.text, this.left - 10, this.top + (i + 0.5) * this.h);
        g.fillStyle = label.colour;
        g.fillRect(this.left - 6, this.top + i * this.h, 4, this.h);
      });
    }

    columnLabels(g) {
      g.textBaseline = "middle";
      g.textAlign = "left";
      this.spec.columns.forEach((label, j) => {
        g.save();
        g.translate((j + 0.5) * this.w, this.top - 10);
        g.rotate(-Math.PI / 2);
        g.fillStyle = label.ink;
        g.fillText(label.text, 0, 0);
        g.restore();
        g.fillStyle = label.colour;
        g.fillRect(j * this.w, this.top - 6, this.w, 4);
      });
    }

    legend(g) {
      const y = this.height - 30, width = Math.min(200, this.width - 110), lut = DATA.colours.diverging;
      lut.forEach((colour, k) => {
        g.fillStyle = colour;
        g.fillRect((k * width) / lut.length, y, width / lut.length + 0.6, 9);
      });
      g.fillStyle = "#1c1c1e";
      g.textBaseline = "top";
      [[0, "left", -this.spec.limit], [0.5, "center", 0], [1, "right", this.spec.limit]].forEach(([share, align, value]) => {
        g.textAlign = align;
        g.fillText(value === 0 ? "0" : number(value, this.spec.limit < 1 ? 2 : 1), share * width, y + 12);
      });
      g.textAlign = "left";
      g.fillText(this.spec.unit, width + 10, y - 1);
    }

    listen() {
      const canvas = this.canvas;
      canvas.addEventListener("mousemove", (event) => this.point(event));
      canvas.addEventListener("click", (event) => this.point(event));
      canvas.addEventListener("mouseleave", () => { if (document.activeElement !== canvas) this.move(null); tip.hidden = true; });
      canvas.addEventListener("focus", () => { if (!this.at) this.move([0, 0]); });
      canvas.addEventListener("blur", () => { this.move(null); tip.hidden = true; });
      canvas.addEventListener("keydown", (event) => {
        const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (event.key === "Escape") tip.hidden = true;
        if (!by) return;
        event.preventDefault();
        const [i, j] = this.at || [0, 0], clip = (v, n) => Math.min(n - 1, Math.max(0, v));
        this.move([clip(i + by[0], this.spec.rows.length), clip(j + by[1], this.spec.columns.length)]);
        this.cursor.scrollIntoView({ block: "nearest", inline: "nearest" });
      });
    }

    point(event) {
      const box = this.canvas.getBoundingClientRect(), scale = this.width / box.width;
      const j = Math.floor(((event.clientX - box.left) * scale) / this.w);
      const i = Math.floor(((event.clientY - box.top) * scale - this.top) / this.h);
      const inside = i >= 0 && j >= 0 && i < this.spec.rows.length && j < this.spec.columns.length;
      this.move(inside ? [i, j] : null);
      tip.hidden = !inside;
      if (!inside) return;
      tip.textContent = this.describe(i, j).join("\n");
      const right = event.clientX + 16 + tip.offsetWidth < window.innerWidth;
      tip.style.left = `${Math.max(4, right ? event.clientX + 14 : event.clientX - tip.offsetWidth - 14)}px`;
      tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 4)}px`;
    }

    move(at) {
      this.at = at;
      this.cursor.hidden = !at;
      if (!at) return;
      const [i, j] = at;
      Object.assign(this.cursor.style, {
        left: `${j * this.w - 2}px`, top: `${this.top + i * this.h - 2}px`,
        width: `${this.w + 3}px`, height: `${this.h + 3}px`,
      });
      this.readout.textContent = this.describe(i, j).join("; ");
    }

    // What is known of a cell, a line each.
    describe(i, j) {
      const k = this.spec.at[i * this.spec.columns.length + j], cells = this.cells, digits = this.spec.digits;
      const isolate = (name) => `\u2068${name}\u2069`;
      const lines = [`${isolate(this.spec.rows[i].name)} \u2192 ${isolate(this.spec.columns[j].name)}`];
      if (k === null) return [...lines, "not measured"];
      const unit = this.spec.short && cells.estimate[k] !== null ? `\u00a0${this.spec.short}` : "";
      const p = (value) => (value === null ? DASH : value < 0.001 ? "< 0.001" : value.toFixed(3));
      lines.push(`${this.spec.quantity} ${number(cells.estimate[k], digits)}${unit}`);
      lines.push(cells.low[k] === null ? `no interval (${cells.why.of[cells.why.at[k]] || "undefined"})`
        : `${this.spec.level}\u00a0% interval ${number(cells.low[k], digits)} to ${number(cells.high[k], digits)}`);
      lines.push(`p ${p(cells.p[k])}, adjusted (Benjamini-Hochberg) ${p(cells.p_bh[k])}`);
      lines.push(`score ${number(cells.reference[k], this.spec.score_digits)} \u2192 ${number(cells.score[k], this.spec.score_digits)}`);
      lines.push(`n = ${number(cells.n_replicates[k], 0)} replicates, ${number(cells.n_clusters[k], 0)} clusters`);
      if (!cells.aggregated.of[cells.aggregated.at[k]]) lines.push("not in the aggregates");
      return lines;
    }
  }

  // --- panels to switch between -----------------------------------------------------------------------------------
  const switches = () => document.querySelectorAll(".switch").forEach((host, n) => {
    const panels = [...host.querySelectorAll(":scope > .panel")], tabs = host.querySelector(":scope > .tabs");
    if (panels.length < 2) { tabs.remove(); return; }
    const choose = (chosen, focus) => panels.forEach((panel, k) => {
      panel.hidden = k !== chosen;
      const tab = tabs.children[k];
      tab.setAttribute("aria-selected", String(k === chosen));
      tab.tabIndex = k === chosen ? 0 : -1;
      if (k === chosen) {
        if (focus) tab.focus();
        drawVisible(panel);
      }
    });
    panels.forEach((panel, k) => {
      panel.id = `panel-${n}-${k}`;
      tabs.append(make("button", { type: "button", role: "tab", "aria-controls": panel.id, onclick: () => choose(k, false), onkeydown: (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (by) choose((k + by + panels.length) % panels.length, true);
      } }, panel.dataset.title));
    });
    choose(Math.min(Number(host.dataset.start), panels.length - 1), false);
  });

  // The table of cells by column: numbers, or texts as a list and places in it.
  const cells = {};
  if (DATA.tables.cells) DATA.tables.cells.columns.forEach((column, j) => { cells[column.name] = DATA.tables.cells.values[j]; });
  const heatmaps = new Map();
  const drawVisible = (within) => within.querySelectorAll(".heatmap").forEach((host) => {
    if (!host.closest("[hidden]")) heatmaps.get(host.dataset.heatmap)?.draw();
  });

  document.querySelectorAll("[data-table]").forEach((host) => new Table(host, DATA.tables[host.dataset.table]));
  document.querySelectorAll("[data-heatmap]").forEach((host) => {
    heatmaps.set(host.dataset.heatmap, new Heatmap(host, DATA.heatmaps[host.dataset.heatmap], cells));
  });
  switches();
  drawVisible(document);
  window.addEventListener("beforeprint", () => heatmaps.forEach((heatmap) => heatmap.draw()));
})();
