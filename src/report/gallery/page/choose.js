// The view in which one chooses: each cell of a `pick` step with its candidates, moved through by keys.

class Choose {
  constructor(picks) {
    this.picks = picks;
    this.at = [0, 0];
    this.head = el("div", { class: "choose-head" });
    this.list = el("div", { class: "cells" });
    this.element = el("section", { class: "picks", "aria-label": "Picks", on: { keydown: (event) => this.key(event) } }, this.head, this.list);
    picks.listeners.push(() => this.draw());
  }

  show(shots) {
    const shown = new Set(shots);
    this.cells = this.picks.cells.filter((cell) => shown.has(cell.shot) || cell.of.some((shot) => shown.has(shot)));
    this.refused = SHOTS.filter((shot) => shown.has(shot) && this.picks.refusal(shot) && !this.picks.cellOf(shot));
    this.draw();
  }

  draw() {
    if (this.element.hidden || !this.cells) return;
    const { picks } = this;
    const hadFocus = this.hadFocus || this.list.contains(document.activeElement);
    const done = picks.cells.filter((cell) => picks.chosenIn(cell)).length;
    const stale = picks.cells.filter((cell) => picks.isStale(cell)).length;
    const refusals = [...picks.rejected.values()].flat().length;
    const next = picks.cells.find((cell) => !picks.chosenIn(cell));
    refill(this.head,
      el("p", { class: "progress" }, picks.cells.length > 0 ? `${done} of ${picks.cells.length} chosen` : "Nothing to choose in this campaign", refusals > 0 && `, ${refusals} turned down`, stale > 0 && el("b", { "data-status": "in doubt" }, `, ${stale} stale: the picture is another now`)),
      picks.cells.length > 0 && el("progress", { max: picks.cells.length, value: done, "aria-label": "Chosen" }),
      next && button("Next open", () => this.goTo(this.cells.findIndex((cell) => !picks.chosenIn(cell)), 0)),
      el("p", { class: "note" }, el("kbd", {}, "1\u20139"), " choose  ", el("kbd", {}, "r"), " turn down  ", el("kbd", {}, "n"), " note  ", el("kbd", {}, "u"), " take back  ", el("kbd", {}, "arrows"), " move  ", el("kbd", {}, "enter"), " look closer"),
      saving(picks));
    refill(this.list, this.cells.map((cell, row) => this.cell(cell, row)),
      this.refused.length > 0 && el("section", { class: "cell" }, el("h3", {}, "Turned down"), el("ol", {}, this.refused.map((shot) => this.candidate(undefined, shot, -1, 0)))),
      this.gone());
    this.place();
    if (hadFocus) this.focus();
  }

  /** Refusals of pictures that their shots no longer have: made again since, or about to be. */
  gone() {
    const now = new Set(SHOTS.filter((shot) => shot.d).map((shot) => `${address(shot)} ${shot.d}`));
    const all = [...this.picks.rejected].flatMap(([shot, pictures]) => pictures.map((one) => [shot, one]));
    const gone = all.filter(([shot, one]) => !now.has(`${shot} ${one.picture}`));
    const item = ([shot, one]) => el("li", { class: "plain" }, el("span", { class: "address" }, shot), one.note && ` \u201c${one.note}\u201d `, button("take back", () => this.picks.say([{ do: "unreject", shot, picture: one.picture }]), { class: "text" }));
    return gone.length > 0 && el("section", { class: "cell" }, el("h3", {}, "Turned down earlier"), el("ul", {}, gone.map(item)));
  }

  cell(cell, row) {
    const chosen = this.picks.chosenIn(cell);
    const note = this.picks.chosen.get(address(cell.shot))?.note;
    const standing = chosen ? caption(chosen) : this.picks.isStale(cell) ? "stale: choose again" : "open";
    return el("section", { class: `cell ${chosen ? "chosen" : ""}`, "aria-label": `${cell.shot.step.name}, ${caption(cell.shot)}: ${standing}` },
      el("h3", {}, caption(cell.shot), el("small", {}, `${cell.shot.step.name}: `, chosen ? el("b", { "data-status": "done" }, standing) : standing, note && `, \u201c${note}\u201d`)),
      el("ol", { role: "listbox", "aria-label": `Candidates for ${cell.shot.step.name}, ${caption(cell.shot)}` }, cell.of.map((shot, column) => this.candidate(cell, shot, row, column))));
  }

  candidate(cell, shot, row, column) {
    const isChosen = Boolean(cell) && this.picks.chosenIn(cell) === shot;
    const refusal = this.picks.refusal(shot);
    const words = `${caption(shot)}${isChosen ? ", chosen" : ""}${refusal ? `, turned down${refusal.note ? `: ${refusal.note}` : ""}` : ""}${shot.f ? "" : `, ${STATUS_WORDS[shot.st]}`}`;
    return el("li", { role: cell && "option", class: `${isChosen ? "is-chosen" : ""} ${refusal ? "is-refused" : ""}`, "aria-selected": cell && String(isChosen), "aria-label": words, tabindex: "-1", "data-at": row < 0 ? undefined : `${row} ${column}`,
      vars: { "aspect-ratio": "auto" },
      on: { click: () => this.press(cell, shot, row, column), dblclick: () => page.look.open(shot, cell?.of ?? [shot]), focus: () => row >= 0 && this.moved(row, column) } },
      el("div", { class: "box" }, shot.f ? picture(shot) : el("span", { class: "blank" }, STATUS_WORDS[shot.st])),
      el("span", { class: "mark" }, column < 9 && cell ? column + 1 : ""),
      el("span", { class: "name" }, caption(shot)),
      refusal && el("small", {}, "turned down", refusal.note && `: ${refusal.note}`),
      !cell && button("take back", () => this.picks.unreject(shot), { class: "text" }));
  }

  press(cell, shot, row, column) {
    if (!cell) return;
    this.at = [row, column];
    this.hadFocus = true;
    if (this.picks.chosenIn(cell) === shot) this.picks.unchoose(cell);
    else this.picks.choose(cell, shot);
  }

  moved(row, column) {
    this.at = [row, column];
    this.place();
  }

  /** One candidate can be reached by tab; arrows go on from there. */
  place() {
    for (const node of this.list.querySelectorAll("[data-at]")) node.tabIndex = node.dataset.at === this.at.join(" ") ? 0 : -1;
    if (!this.list.querySelector('[tabindex="0"]')) this.list.querySelector("[data-at]")?.setAttribute("tabindex", "0");
  }

  focus() {
    // Under a dialog nothing can be focused: it is taken up when the dialog has closed.
    this.hadFocus = document.querySelector("dialog[open]") !== null;
    if (this.hadFocus) return;
    const node = this.list.querySelector(`[data-at="${this.at.join(" ")}"]`);
    node?.focus();
    node?.closest(".cell").scrollIntoView({ block: "nearest" });
  }

  /** Gives the focus back when a dialog has closed; what had it may have been drawn anew meanwhile. */
  giveBack(node) {
    this.hadFocus = false;
    if (node?.isConnected) node.focus();
    else if (!this.element.hidden) this.focus();
  }

  goTo(row, column) {
    const cell = this.cells[row];
    if (!cell) return;
    this.at = [row, Math.max(0, Math.min(column, cell.of.length - 1))];
    this.place();
    this.focus();
  }

  /** Keeps the focus in the cell, on the candidate that a number names. */
  stay(row, number, cell) {
    if (number >= 1 && cell.of[number - 1]?.f) this.at = [row, number - 1];
    this.hadFocus = true;
  }

  key(event) {
    if (event.target.closest("input, select, textarea, button") || event.ctrlKey || event.metaKey || event.altKey) return;
    const [row, column] = this.at;
    const cell = this.cells[row];
    const shot = cell?.of[column];
    if (!shot) return;
    const moves = { ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], ArrowUp: [row - 1, column], ArrowDown: [row + 1, column] };
    if (moves[event.key]) this.goTo(...moves[event.key]);
    else if (!pickKey(this.picks, event.key, shot, cell, () => this.stay(row, Number(event.key), cell))) {
      if (event.key !== "Enter") return;
      page.look.open(shot, cell.of);
    }
    event.preventDefault();
  }
}

/** Takes a key of choosing, wherever a shot is looked at; says whether it was one. */
function pickKey(picks, key, shot, cell, before = () => {}) {
  const number = Number(key);
  if (cell && number >= 1 && number <= 9) {
    const wanted = cell.of[number - 1];
    if (!wanted?.f) return true;
    before();
    picks.choose(cell, wanted, picks.chosen.get(address(cell.shot))?.note);
    tell(`${caption(wanted)} chosen`);
  } else if (key === "r" && picks.canReject(shot)) {
    before();
    if (picks.refusal(shot)) picks.unreject(shot);
    else askNote(`Turn down ${caption(shot)}`, "What is wrong with it? It is made again in the next run.", "", (note) => picks.reject(shot, note));
  } else if (key === "n") {
    before();
    noteOn(picks, shot, cell);
  } else if (key === "u") {
    before();
    if (picks.refusal(shot)) picks.unreject(shot);
    else if (cell) picks.unchoose(cell);
  } else return false;
  return true;
}

/** Writes a note on what was said of a shot; without a word yet it chooses. */
function noteOn(picks, shot, cell) {
  const refusal = picks.refusal(shot);
  if (refusal) askNote(`Why ${caption(shot)} was turned down`, "", refusal.note ?? "", (note) => picks.reject(shot, note));
  else if (cell) {
    const chosen = picks.chosenIn(cell) ?? shot;
    askNote(`Why ${caption(chosen)} is chosen`, "", picks.chosen.get(address(cell.shot))?.note ?? "", (note) => picks.choose(cell, chosen, note));
  }
}

/** Asks for a line or two. */
function askNote(title, words, known, done) {
  const field = el("textarea", { rows: "3", maxlength: "2000", "aria-label": title });
  field.value = known;
  const before = document.activeElement;
  const dialog = el("dialog", { class: "ask", "aria-labelledby": "ask-title", on: { close: () => {
    dialog.remove();
    page.choose.giveBack(before);
  } } },
    el("form", { method: "dialog", on: { submit: (event) => {
      event.preventDefault();
      const note = field.value.trim() || undefined;
      dialog.close();
      done(note);
    } } },
      el("h2", { id: "ask-title" }, title), words && el("p", { class: "note" }, words), field,
      el("div", { class: "line" }, button("Leave it", () => dialog.close()), el("button", { type: "submit", class: "main" }, "Keep"))));
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      dialog.querySelector("form").requestSubmit();
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  field.focus();
}

/** Says where the choices are kept, or hands them out. */
function saving(picks) {
  if (picks.trouble) return el("p", { class: "why" }, picks.trouble);
  const place = DATA.rehearsal ? `picks/rehearsal/${DATA.campaign}.yaml` : `picks/${DATA.campaign}.yaml`;
  if (IS_SERVED) return el("p", { class: "note" }, "Kept at once in ", el("span", { class: "mono" }, place), ".");
  return el("p", { class: "note line" },
    button("Download the picks file", () => picks.download(), { class: picks.changes > 0 ? "main" : undefined }),
    el("span", {}, "and put it at ", el("span", { class: "mono" }, place), picks.changes > 0 && el("b", {}, `: ${counted(picks.changes, "change")} only on this page so far`)));
}

/** What can be said of a shot in the large view. */
function picksPart(picks, shot) {
  const cell = picks.cellOf(shot);
  const refusal = picks.refusal(shot);
  if (!cell && !picks.canReject(shot)) return null;
  const isChosen = cell && picks.chosenIn(cell) === shot;
  return el("section", { class: "verdicts" },
    cell && (isChosen ? button("Chosen: take back", () => picks.unchoose(cell)) : button(`Choose for ${cell.shot.step.name}`, () => picks.choose(cell, shot), { class: "main", disabled: !shot.f })),
    picks.canReject(shot) && (refusal
      ? button("Turned down: take back", () => picks.unreject(shot))
      : button("Turn down\u2026", () => pickKey(picks, "r", shot, cell), { title: "r" })),
    refusal?.note && el("p", { class: "why" }, refusal.note),
    (picks.changes > 0 || picks.trouble) && saving(picks));
}
