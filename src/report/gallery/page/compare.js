// Chosen shots side by side: zoomed and moved together, with the words in which their prompts differ.

/** Most shots that are set side by side: more would be too small to judge. */
const MOST_PANES = 8;

class Compare {
  constructor() {
    this.zoom = new Zoom((percent) => (this.percent.textContent = percent === 100 ? "whole" : `${percent}%`));
    this.percent = el("output", { class: "percent", "aria-label": "Zoom" }, "whole");
    this.panes = el("div", { class: "panes" });
    this.title = el("h2", { id: "compare-title", tabindex: "-1" });
    this.dialog = el(
      "dialog",
      { class: "look compare", "aria-labelledby": "compare-title", on: { keydown: (event) => this.key(event), close: () => this.closed() } },
      el("header", {},
        button("Close", () => this.dialog.close(), { class: "quiet", title: "Escape" }),
        this.title,
        el("span", { class: "tools" },
          button("\u2212", () => this.zoom.by(1 / 1.5), { "aria-label": "Zoom out", title: "-" }),
          this.percent,
          button("+", () => this.zoom.by(1.5), { "aria-label": "Zoom in", title: "+" }))),
      this.panes,
    );
    document.body.append(this.dialog);
  }

  open(shots) {
    const shown = shots.filter((shot) => shot.f).slice(0, MOST_PANES);
    this.title.textContent = shown.length < shots.length ? `${counted(shown.length, "shot")} of ${shots.length} side by side` : `${counted(shown.length, "shot")} side by side`;
    this.zoom.clear();
    const columns = shown.length <= 3 ? shown.length : Math.ceil(shown.length / 2);
    this.panes.style.setProperty("--columns", columns);
    refill(this.panes, shown.map((shot) => this.pane(shot, shown[0])));
    asked.beside = true;
    remember();
    this.dialog.showModal();
    this.title.focus();
  }

  pane(shot, first) {
    const image = picture(shot, true, { alt: shot.id });
    const frame = el("div", { class: "frame" }, el("div", { class: "layer" }, image));
    this.zoom.add(frame, [image], shot.h / shot.w);
    const prompt = promptOf(shot);
    const words = shot === first || !prompt ? prompt : promptOf(first) === prompt ? "The same prompt." : diffNodes(promptOf(first), prompt);
    return el("figure", {}, frame,
      el("figcaption", {},
        el("b", {}, caption(shot)), " ", el("small", {}, `${shot.step.name}, ${costWords(shot)}`),
        words && el("details", {}, el("summary", {}, shot === first ? "prompt" : "prompt, against the first"), el("div", { class: "prompt" }, words))));
  }

  key(event) {
    if (!event.target.closest("summary")) this.zoom.key(event);
  }

  closed() {
    asked.beside = false;
    remember();
    this.zoom.clear();
    refill(this.panes);
  }
}

/** The bar at the foot: what is chosen, and what can be done with it. */
function showTray() {
  const chosen = [...asked.chosen].map((ix) => SHOTS[ix]);
  const tray = byId("tray");
  tray.classList.toggle("open", chosen.length > 0);
  if (chosen.length === 0) {
    refill(tray);
    return;
  }
  const remove = (shot) => {
    asked.chosen.delete(shot.ix);
    page.grid.mark();
    showTray();
  };
  const small = chosen.slice(0, MOST_PANES).map((shot) => {
    const one = button([], () => remove(shot), { class: "link", "aria-label": `Leave out ${shot.step.name}, ${caption(shot)}`, title: `${shot.step.name} ${caption(shot)}` });
    one.append(picture(shot));
    return one;
  });
  refill(tray, el("span", { class: "many" }, `${chosen.length} chosen`), el("span", { class: "small" }, small),
    button("Side by side", () => page.compare.open(chosen), { class: "main", disabled: chosen.filter((shot) => shot.f).length < 2 }),
    button("Clear", () => {
      asked.chosen.clear();
      page.grid.mark();
      showTray();
    }));
  tell(`${chosen.length} chosen`);
}
