// Puts the parts together.

/** The parts that others speak to. */
const page = {};

const KEYS = [
  ["/", "search"],
  ["arrows", "from picture to picture"],
  ["enter", "look at one, large"],
  ["x or space", "choose for side by side"],
  ["c", "chosen side by side"],
  ["b", "before and after, in the large view"],
  ["1\u20139, r, n, u", "choose, turn down, note, take back: among picks and in the large view"],
  ["+ \u2212 0", "zoom in, out, whole"],
  ["escape", "back"],
];

function start() {
  recall();
  drawHead();
  page.picks = new Picks();
  page.look = new Look();
  page.compare = new Compare();
  page.grid = new Grid((shot, among) => page.look.open(shot, among));
  page.money = new Money();
  page.choose = new Choose(page.picks);
  page.facets = new Facets();
  page.bar = new Bar();
  const empty = el("p", { class: "empty", hidden: true }, "Nothing is like that. ", button("Show all", clearFilters, { class: "text" }));
  page.follow = new Follow();
  fill(byId("main"), [
    page.bar.element,
    page.follow.element,
    el("div", { class: "columns" }, page.facets.element, el("div", { class: "content" }, empty, page.grid.element, page.money.element, page.choose.element)),
    el("footer", {}, el("details", {}, el("summary", {}, "Keys"), el("dl", {}, KEYS.map(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])))),
  ]);
  onChange.push(
    (shown) => page.bar.show(shown),
    (shown) => page.facets.show(shown),
    (shown) => {
      const view = asked.view;
      page.grid.element.hidden = view !== "shots";
      page.money.element.hidden = view !== "money";
      page.choose.element.hidden = view !== "picks";
      empty.hidden = shown.shots.length > 0;
      if (view === "shots") page.grid.show(shown.shots);
      if (view === "money") page.money.show(shown.shots);
      if (view === "picks") page.choose.show(shown.shots);
    },
  );
  page.picks.listeners.push(changed);
  addEventListener("hashchange", () => {
    recall();
    changed();
    if (asked.large) page.look.open(asked.large);
  });
  addEventListener("keydown", (event) => {
    if (event.target.closest?.("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") page.bar.search.focus();
    else if (event.key === "c" && asked.chosen.size > 1) page.compare.open([...asked.chosen].map((ix) => SHOTS[ix]));
    else return;
    event.preventDefault();
  });
  page.picks.refresh();
  changed();
  showTray();
  if (asked.large) page.look.open(asked.large);
  else if (asked.beside) page.compare.open([...asked.chosen].map((ix) => SHOTS[ix]));
}

start();
