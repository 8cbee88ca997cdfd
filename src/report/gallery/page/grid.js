// The pictures, row by row. Only the rows near the screen exist, however many there are.

/** Space between cards, and lines of text below a picture, in pixels. */
const GAP = 14;
const WORDS = 58;
const HEADING = 46;

/** Height over width of most pictures: the shape that all cards share. */
const SHAPE = (() => {
  const shapes = SHOTS.filter((shot) => shot.step.paid || SHOTS.length < 50).map((shot) => shot.h / shot.w).sort((a, b) => a - b);
  const middle = shapes[Math.floor(shapes.length / 2)] ?? 1;
  return Math.min(1.5, Math.max(0.6, middle));
})();

class Grid {
  /** `open` is called with a shot and all that are shown. */
  constructor(open) {
    this.open = open;
    this.shots = [];
    this.bands = [];
    this.live = new Map();
    this.cursor = undefined;
    this.element = el("div", { class: "grid", id: "shots", role: "grid", tabindex: "-1", "aria-label": "Shots", "aria-multiselectable": "true", on: { keydown: (event) => this.key(event) } });
    this.draw = oncePerFrame(() => this.render());
    addEventListener("scroll", this.draw, { passive: true });
    new ResizeObserver(() => this.layout()).observe(this.element);
  }

  show(shots) {
    this.shots = shots;
    if (!shots.some((shot) => shot.ix === this.cursor)) this.cursor = shots[0]?.ix;
    this.width = undefined;
    this.layout();
  }

  /** Decides what stands where. */
  layout() {
    const width = this.element.clientWidth;
    if (width === 0 || (width === this.width && asked.size === this.size)) return;
    [this.width, this.size] = [width, asked.size];
    this.columns = Math.max(1, Math.floor((width + GAP) / (Math.min(asked.size, width) + GAP)));
    this.card = (width - GAP * (this.columns - 1)) / this.columns;
    this.box = Math.round(this.card * SHAPE);
    this.bands = [];
    let top = 0;
    for (const group of groupsOf(this.shots)) {
      if (group.name) {
        this.bands.push({ top, height: HEADING, group });
        top += HEADING;
      }
      for (let at = 0; at < group.shots.length; at += this.columns) {
        this.bands.push({ top, height: this.box + WORDS + GAP, row: group.shots.slice(at, at + this.columns) });
        top += this.box + WORDS + GAP;
      }
    }
    this.element.style.setProperty("--card", `${this.card}px`);
    this.element.style.setProperty("--box", `${this.box}px`);
    this.element.style.height = `${top}px`;
    this.element.setAttribute("aria-rowcount", this.bands.length);
    this.element.setAttribute("aria-colcount", this.columns);
    for (const node of this.live.values()) node.remove();
    this.live.clear();
    this.render();
  }

  /** Makes the rows that are near the screen, and takes the others away. */
  render() {
    if (!this.element.isConnected) return;
    const above = this.element.getBoundingClientRect().top;
    const [from, to] = [-above - innerHeight * 0.75, -above + innerHeight * 1.75];
    let first = this.bandAt(from);
    const wanted = new Set();
    for (; first < this.bands.length && this.bands[first].top < to; first++) wanted.add(first);
    const held = document.activeElement?.closest?.("[aria-rowindex]");
    if (held && this.element.contains(held)) wanted.add(Number(held.getAttribute("aria-rowindex")) - 1);
    for (const [index, node] of this.live) {
      if (!wanted.has(index)) {
        node.remove();
        this.live.delete(index);
      }
    }
    for (const index of [...wanted].sort((a, b) => a - b)) {
      if (this.live.has(index) || !this.bands[index]) continue;
      const node = this.band(index);
      const after = [...this.live].filter(([other]) => other > index).sort((a, b) => a[0] - b[0])[0];
      this.element.insertBefore(node, after ? after[1] : null);
      this.live.set(index, node);
    }
  }

  /** The first band that ends below a height. */
  bandAt(height) {
    let [low, high] = [0, this.bands.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.bands[middle].top + this.bands[middle].height <= height) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  band(index) {
    const { top, group, row } = this.bands[index];
    const props = { role: "row", "aria-rowindex": index + 1, vars: { transform: `translateY(${top}px)` } };
    if (group) {
      const sums = new Map();
      for (const shot of group.shots) paidFor(shot, sums);
      const facts = counted(group.shots.length, "shot") + (sums.size > 0 ? `, ${amounts(sums)}` : "");
      return el("div", { ...props, class: "band head" }, el("h3", { role: "gridcell" }, group.name, el("small", {}, facts)));
    }
    return el("div", { ...props, class: "band" }, row.map((shot) => this.cell(shot)));
  }

  cell(shot) {
    const tries = shot.a.filter((one) => !one.other).length;
    const label = `${shot.step.name}, ${caption(shot)}, ${STATUS_WORDS[shot.st]}, ${costWords(shot)}`;
    const isChosen = asked.chosen.has(shot.ix);
    return el(
      "div",
      {
        class: `card ${shot.f ? "" : "none"}`,
        role: "gridcell",
        tabindex: shot.ix === this.cursor ? "0" : "-1",
        "data-shot": shot.ix,
        "data-status": shot.st,
        "aria-label": label,
        "aria-selected": String(isChosen),
        on: { click: (event) => this.click(event, shot), focus: () => this.moved(shot) },
      },
      el("div", { class: "box" }, shot.f ? picture(shot) : el("span", { class: "blank" }, STATUS_WORDS[shot.st], shot.why && el("small", {}, shot.why))),
      button("", () => this.choose(shot), { class: "choose", tabindex: "-1", "aria-hidden": "true", title: "Choose for side by side (x)" }),
      el("div", { class: "words" },
        el("div", { class: "name" }, caption(shot)),
        el("div", { class: "facts" },
          el("span", {}, shot.st === "done" ? shot.step.name : el("b", { "data-status": shot.st }, STATUS_WORDS[shot.st])),
          el("span", {}, tries > 1 ? `${tries} tries, ` : "", costWords(shot)))),
    );
  }

  click(event, shot) {
    if (event.target.closest(".choose")) return;
    if (event.ctrlKey || event.metaKey) this.choose(shot);
    else this.open(shot, this.shots);
  }

  choose(shot) {
    if (asked.chosen.has(shot.ix)) asked.chosen.delete(shot.ix);
    else asked.chosen.add(shot.ix);
    this.cellOf(shot.ix)?.setAttribute("aria-selected", String(asked.chosen.has(shot.ix)));
    showTray();
  }

  /** Shows again which shots are chosen. */
  mark() {
    for (const cell of this.element.querySelectorAll("[data-shot]")) cell.setAttribute("aria-selected", String(asked.chosen.has(Number(cell.dataset.shot))));
  }

  cellOf(ix) {
    return this.element.querySelector(`[data-shot="${ix}"]`);
  }

  moved(shot) {
    this.cellOf(this.cursor)?.setAttribute("tabindex", "-1");
    this.cursor = shot.ix;
    this.cellOf(shot.ix)?.setAttribute("tabindex", "0");
  }

  /** Brings a shot onto the screen and under the cursor. */
  goTo(shot, focus = true) {
    const index = this.bands.findIndex((band) => band.row?.includes(shot));
    if (index < 0) return;
    const band = this.bands[index];
    const above = this.element.getBoundingClientRect().top + band.top;
    const bar = byId("bar")?.getBoundingClientRect().height ?? 0;
    if (above < bar + 8) scrollBy(0, above - bar - 8);
    else if (above + band.height > innerHeight) scrollBy(0, above + band.height - innerHeight);
    this.render();
    this.moved(shot);
    if (focus) this.cellOf(shot.ix)?.focus({ preventScroll: true });
  }

  key(event) {
    const ix = Number(event.target.closest?.("[data-shot]")?.dataset.shot ?? NaN);
    const shot = SHOTS[ix];
    if (!shot || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = this.bands.filter((band) => band.row);
    const line = rows.findIndex((band) => band.row.includes(shot));
    const column = rows[line]?.row.indexOf(shot) ?? 0;
    const flat = (by) => {
      const all = rows.flatMap((band) => band.row);
      return all[all.indexOf(shot) + by];
    };
    const beside = (by) => {
      const row = rows[line + by]?.row;
      return row?.[Math.min(column, row.length - 1)];
    };
    const to = {
      ArrowRight: () => flat(1),
      ArrowLeft: () => flat(-1),
      ArrowDown: () => beside(1),
      ArrowUp: () => beside(-1),
      PageDown: () => beside(Math.max(1, Math.floor(innerHeight / (this.box + WORDS)))) ?? rows.at(-1).row.at(-1),
      PageUp: () => beside(-Math.max(1, Math.floor(innerHeight / (this.box + WORDS)))) ?? rows[0].row[0],
      Home: () => rows[0].row[0],
      End: () => rows.at(-1).row.at(-1),
    }[event.key];
    if (to) {
      const next = to();
      if (next) this.goTo(next);
    } else if (event.key === "Enter") this.open(shot, this.shots);
    else if (event.key === " " || event.key === "x") this.choose(shot);
    else return;
    event.preventDefault();
  }
}
