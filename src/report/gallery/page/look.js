// One shot, large: the picture, the chain it stands in, before and after, and everything that is known of it.

class Look {
  constructor() {
    this.zoom = new Zoom((percent) => (this.percent.textContent = percent === 100 ? "whole" : `${percent}%`));
    this.percent = el("output", { class: "percent", "aria-label": "Zoom" }, "whole");
    this.title = el("h2", { id: "look-title", tabindex: "-1" });
    this.stage = el("div", { class: "stage" });
    this.chain = el("nav", { class: "chain", "aria-label": "The chain of this picture" });
    this.facts = el("aside", { class: "aside", tabindex: "0", "aria-label": "All that is known of this shot" });
    this.place = el("span", { class: "place" });
    this.dialog = el(
      "dialog",
      { class: "look", "aria-labelledby": "look-title", on: { keydown: (event) => this.key(event), close: () => this.closed() } },
      el("header", {},
        button("Close", () => this.dialog.close(), { class: "quiet", title: "Escape" }),
        this.title,
        this.place,
        el("span", { class: "tools" },
          button("\u2212", () => this.zoom.by(1 / 1.5), { "aria-label": "Zoom out", title: "-" }),
          this.percent,
          button("+", () => this.zoom.by(1.5), { "aria-label": "Zoom in", title: "+" }),
          button("\u2190", () => this.step(-1), { "aria-label": "Shot before", title: "Left arrow" }),
          button("\u2192", () => this.step(1), { "aria-label": "Next shot", title: "Right arrow" }))),
      el("div", { class: "body" }, el("div", { class: "left" }, this.stage, this.chain), this.facts),
    );
    document.body.append(this.dialog);
    page.picks.listeners.push(() => this.dialog.open && this.showFacts());
  }

  showFacts() {
    refill(this.facts, factsOf(this.shot, (other) => this.open(other, this.among)));
  }

  /** Shows a shot; `among` is what previous and next go through. */
  open(shot, among = SHOTS) {
    this.among = among.includes(shot) ? among : SHOTS;
    this.show(shot);
    if (!this.dialog.open) {
      this.from = document.activeElement;
      this.dialog.showModal();
      this.title.focus();
    }
  }

  show(shot, before) {
    this.shot = asked.large = shot;
    remember();
    const chain = chainThrough(shot).filter((one) => one.f || one === shot);
    this.before = before === undefined && this.before !== undefined ? mainMaker(shot) : before;
    if (!this.before?.f || !shot.f || this.before === shot) this.before = undefined;
    refill(this.title, el("span", {}, caption(shot)), el("small", {}, shot.step.name));
    const at = this.among.indexOf(shot);
    this.place.textContent = at < 0 ? "" : `${grouped(at + 1)} of ${grouped(this.among.length)}`;
    this.showStage();
    this.showChain(chain);
    this.showFacts();
    this.facts.scrollTop = 0;
    tell(`${shot.step.name}, ${caption(shot)}, ${STATUS_WORDS[shot.st]}`);
  }

  showStage() {
    const { shot, before } = this;
    this.zoom.clear();
    const shape = shot.h / shot.w;
    const frame = el("div", { class: "frame" });
    const after = shot.f ? picture(shot, true, { alt: shot.id }) : el("p", { class: "blank" }, STATUS_WORDS[shot.st], shot.why && el("small", {}, shot.why));
    if (!before) {
      refill(this.stage, fill(frame, el("div", { class: "layer" }, after)));
      if (shot.f) this.zoom.add(frame, [after], shape);
      return;
    }
    const under = picture(before, true, { alt: before.id });
    const upper = el("div", { class: "layer upper" }, after);
    const slide = el("input", { type: "range", min: "0", max: "100", value: "50", step: "0.5", class: "slide", "aria-label": `Before and after: ${before.step.name} to ${shot.step.name}` });
    const cut = () => frame.style.setProperty("--cut", `${slide.value}%`);
    slide.addEventListener("input", cut);
    cut();
    fill(frame, [el("div", { class: "layer" }, under), upper, el("div", { class: "edge" }), el("span", { class: "tag left" }, before.step.name), el("span", { class: "tag right" }, shot.step.name)]);
    // Beneath the pictures, not upon them: captions stand at their lower edge.
    refill(this.stage, frame, slide);
    this.zoom.add(frame, [under, after], shape);
  }

  /** The chain: choose another of it to look at, or what this one is held against. */
  showChain(chain) {
    const { shot } = this;
    const steps = chain.map((one) =>
      el("li", {}, button([], () => this.open(one, this.among), { class: "link", "aria-current": one === shot ? "true" : undefined, "aria-label": `${one.step.name}, ${caption(one)}` }),
        el("span", {}, one.step.name)));
    chain.forEach((one, at) => steps[at].firstChild.append(picture(one)));
    const others = chain.filter((one) => one !== shot && one.f && shot.f);
    refill(this.chain, chain.length > 1 && el("ol", {}, steps),
      others.length > 0 && choice("before and after", [["", "off"], ...others.map((one) => [one.ix, `from ${one.step.name}`])], this.before?.ix ?? "",
        (ix) => this.show(shot, ix === "" ? null : SHOTS[Number(ix)])));
  }

  step(by) {
    const next = this.among[this.among.indexOf(this.shot) + by];
    if (next) this.show(next);
  }

  key(event) {
    if (event.target.closest("select, input, textarea, summary, dialog.ask") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.zoom.key(event)) return;
    if (event.key === "ArrowRight") this.step(1);
    else if (event.key === "ArrowLeft") this.step(-1);
    else if (event.key === "b") {
      const maker = mainMaker(this.shot);
      this.show(this.shot, this.before ? null : maker);
    } else if (!pickKey(page.picks, event.key, this.shot, page.picks.cellOf(this.shot))) return;
    event.preventDefault();
  }

  closed() {
    asked.large = undefined;
    remember();
    this.zoom.clear();
    refill(this.stage);
    if (asked.view === "shots") page.grid.goTo(this.shot);
    else page.choose.giveBack(this.from);
  }
}
