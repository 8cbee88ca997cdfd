// The head of the page: what was made, what it cost, what failed; then what can be asked for.

/** How many of these shots stand where, in the order of the worst last. */
function tally(shots) {
  const counts = new Map();
  for (const shot of shots) counts.set(shot.st, (counts.get(shot.st) ?? 0) + 1);
  return counts;
}

/** The campaign in a sentence or two. */
function verdict() {
  const counts = tally(SHOTS);
  const count = (status) => counts.get(status) ?? 0;
  const all = SHOTS.length - count("left out");
  const done = count("done");
  const rest = [
    [count("failed"), (n) => `${n} failed`],
    [count("rejected"), (n) => `${n} ${n === 1 ? "was" : "were"} rejected`],
    [count("in doubt"), (n) => `${n} ${n === 1 ? "is" : "are"} in doubt`],
    [count("under way"), (n) => `${n} ${n === 1 ? "is" : "are"} under way`],
    [count("waiting"), (n) => `${n} ${n === 1 ? "waits" : "wait"} for a pick`],
    [count("blocked"), (n) => `${n} ${n === 1 ? "is" : "are"} held up behind others`],
    [count("to do"), (n) => `${n} ${n === 1 ? "is" : "are"} still to do`],
    [count("left out"), (n) => `${n} ${n === 1 ? "was" : "were"} left out`],
  ].filter(([n]) => n > 0).map(([n, words]) => words(n));
  const made = done === all ? `All ${counted(all, "shot")} are done.` : `${grouped(done)} of ${counted(all, "shot")} are done.`;
  const again = SHOTS.filter((shot) => shot.st === "done" && shot.a.filter((one) => !one.other).length > 1).length;
  if (rest.length > 0) return `${made} ${rest.join(", ")}.`;
  return again > 0 ? `${made} ${again} took more than one try.` : `${made} Nothing failed.`;
}

/** So many shots that stand so. */
function countedAs(status, count) {
  return `${grouped(count)} ${status === "waiting" && count !== 1 ? "wait for a pick" : STATUS_WORDS[status]}`;
}

/** One bar: shots by where they stand. */
function standBar(shots) {
  const counts = tally(shots);
  const words = [...counts].map(([status, count]) => countedAs(status, count)).join(", ");
  return el("span", { class: "stand-bar", role: "img", "aria-label": words, title: words },
    STATUSES.filter((status) => counts.has(status)).map((status) => el("i", { "data-status": status, vars: { "flex-grow": counts.get(status) } })));
}

function drawHead() {
  const theme = button("", () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  }, { class: "quiet theme", "aria-label": "Light or dark", title: "Light or dark" });
  const facts = DATA.facts.map(([what, figure]) => el("div", {}, el("dt", {}, what), el("dd", {}, figure)));
  const head = byId("top");
  head.querySelector("noscript")?.remove();
  head.append(
    theme,
    el("p", { class: "verdict" }, verdict()),
    fill(el("div", { class: "marks" }), [DATA.rehearsal && el("p", { class: "rehearsal" }, "Rehearsal: every picture is drawn, none was bought")]),
    standBar(SHOTS),
    el("dl", { class: "facts" }, facts),
    stepsTable(),
  );
}

/** The steps in order: each row shows the shots of its step. */
function stepsTable() {
  const rows = STEPS.map((step, ix) => {
    const shots = BY_STEP[ix];
    const counts = tally(shots);
    const asking = shots.length - (counts.get("left out") ?? 0);
    const open = ["failed", "rejected", "in doubt", "under way", "waiting", "blocked", "to do"].filter((status) => counts.has(status));
    const sums = new Map();
    for (const shot of shots) paidFor(shot, sums);
    const tries = shots.some((shot) => shot.a.some((one) => !one.other));
    return el("tr", {},
      el("th", { scope: "row" }, button(step.name, () => showOnly("step", ix), { class: "text" }), step.ends && el("em", { title: "Nothing but contact sheets is made of these" }, "final")),
      el("td", { class: "what" }, step.model ? `${step.kind} ${step.model}` : step.kind),
      el("td", { class: "bar" }, standBar(shots)),
      el("td", { class: "number" }, `${grouped(counts.get("done") ?? 0)}/${grouped(asking)}`),
      el("td", { class: "open" }, open.map((status) => button(countedAs(status, counts.get(status)), () => {
        asked.sets.set("step", new Set([ix]));
        showOnly("status", status);
      }, { class: "text", "data-status": status }))),
      el("td", { class: "number" }, !step.paid ? "free" : tries ? amounts(sums) : shots.some((shot) => shot.st === "done") ? "reused" : "\u2013"));
  });
  return el("table", { class: "steps", "aria-label": "Steps" }, el("tbody", {}, rows));
}

/** Shows one value of a facet, in the view of the pictures. */
function showOnly(key, value) {
  asked.view = "shots";
  if (facetOf(key)) only(key, value);
  byId("bar").scrollIntoView({ block: "start" });
}

/** The bar that stays: views, search, groups, size. */
class Bar {
  constructor() {
    this.views = new Map([["shots", "Pictures"], ["money", "Money"], ["picks", "Picks"]].map(([key, name]) => [key, button(name, () => {
      asked.view = key;
      changed();
    }, { class: "tab", role: "tab" })]));
    this.search = el("input", { type: "search", placeholder: "Search prompts, addresses, errors", "aria-label": "Search (press / to come here)", on: { input: () => {
      asked.query = this.search.value;
      changed();
    } } });
    this.group = choice("Group", [["", "not at all"], ...FACETS.map((facet) => [facet.key, facet.name.toLowerCase()])], asked.group, (key) => {
      asked.group = key;
      changed();
    });
    this.size = el("input", { type: "range", min: "96", max: "420", step: "4", value: asked.size, "aria-label": "Size of the pictures", on: { input: () => {
      asked.size = Number(this.size.value);
      page.grid.layout();
    } } });
    this.count = el("span", { class: "count" });
    this.filters = button("Filter", () => {
      const open = byId("facets").classList.toggle("open");
      this.filters.setAttribute("aria-expanded", String(open));
    }, { class: "filters", "aria-expanded": "false", "aria-controls": "facets" });
    this.element = el("div", { id: "bar" },
      el("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, [...this.views.values()]),
      this.search,
      this.filters,
      el("span", { class: "arrange" }, this.group, el("label", { class: "choice size" }, el("span", {}, "Size"), this.size)),
      this.count);
  }

  show({ shots }) {
    for (const [key, tab] of this.views) {
      tab.setAttribute("aria-selected", String(key === asked.view));
    }
    if (this.search.value !== asked.query) this.search.value = asked.query;
    const select = this.group.querySelector("select");
    if (select.value !== asked.group) select.value = asked.group;
    this.element.dataset.view = asked.view;
    this.views.get("picks").hidden = asked.view !== "picks" && page.picks.cells.length === 0 && page.picks.rejected.size === 0;
    const open = page.picks.cells.filter((cell) => !page.picks.chosenIn(cell)).length;
    this.views.get("picks").textContent = open > 0 ? `Picks (${open} open)` : "Picks";
    const sums = new Map();
    for (const shot of shots) paidFor(shot, sums);
    const words = shots.length === SHOTS.length ? counted(shots.length, "shot") : `${grouped(shots.length)} of ${counted(SHOTS.length, "shot")}`;
    refill(this.count, words, sums.size > 0 && `, ${amounts(sums)}`, isFiltered() && button("show all", clearFilters, { class: "text" }));
    const wanted = [...asked.sets.values()].filter((set) => set.size > 0).length;
    this.filters.textContent = wanted > 0 ? `Filter (${wanted})` : "Filter";
    tell(words);
  }
}

/** The values that shots can be filtered by, with how many each would show. */
class Facets {
  constructor() {
    this.boxes = new Map();
    this.element = el("form", { id: "facets", "aria-label": "Filters", on: { submit: (event) => event.preventDefault() } }, FACETS.map((facet) => this.facet(facet)));
  }

  facet(facet) {
    const values = facet.key === "status" ? facet.values.filter((value) => SHOTS.some((shot) => shot.st === value)) : facet.values;
    const items = values.map((value) => {
      const box = el("input", { type: "checkbox", on: { change: () => toggle(facet.key, value, box.checked) } });
      const count = el("span", { class: "number" });
      const name = el("span", { class: "value", "data-status": facet.key === "status" ? value : undefined }, facet.words(value));
      const item = el("label", {}, box, name, count);
      this.boxes.set(`${facet.key} ${value}`, { facet, value, box, count, item });
      return item;
    });
    const long = items.length > 10;
    const find = long && el("input", { type: "search", placeholder: `Find in ${facet.name}`, "aria-label": `Find in ${facet.name}`, on: { input: () => {
      const word = find.value.toLowerCase();
      values.forEach((value, at) => (items[at].hidden = !String(facet.words(value)).toLowerCase().includes(word)));
    } } });
    return el("fieldset", {}, el("legend", {}, facet.name), find, el("div", { class: long ? "values long" : "values" }, items));
  }

  show({ counts }) {
    for (const { facet, value, box, count, item } of this.boxes.values()) {
      const found = counts.get(facet.key).get(value) ?? 0;
      box.checked = asked.sets.get(facet.key)?.has(value) ?? false;
      count.textContent = grouped(found);
      item.classList.toggle("none", found === 0 && !box.checked);
    }
  }
}
