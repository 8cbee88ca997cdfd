// Following a run: `callsheet review` tells that there are new pictures, and the person says when to take them in.

/** How often the server is asked, in milliseconds. */
const FOLLOW_EVERY = 3000;

class Follow {
  constructor() {
    this.said = el("span", { role: "status" });
    this.element = el("div", { class: "follow", hidden: true }, this.said, button("Show", () => location.reload()));
    if (IS_SERVED) this.ask();
  }

  async ask() {
    try {
      // A page that nobody looks at asks nothing.
      const answer = document.hidden ? undefined : await fetch("./state", { cache: "no-store" });
      if (answer?.ok) this.take(await answer.json());
    } catch {
      // Whoever says something next is told that nobody listens any more.
    }
    setTimeout(() => this.ask(), FOLLOW_EVERY);
  }

  /** Compares with what this page was loaded from: another window may have taken newer pictures in. */
  take({ version, fresh }) {
    this.version ??= version;
    const text = fresh > 0 ? `${counted(fresh, "new picture")}` : version === this.version ? "" : "New pictures";
    if (this.said.textContent !== text) this.said.textContent = text;
    this.element.hidden = text === "";
  }
}
