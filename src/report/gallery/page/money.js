// What the shown shots cost, as drawings with their figures beside them. Currencies are never added.

/** Sums over shots: what one try each would be, what was paid, what for nothing, what is in doubt. */
function reckoned(shots, currency) {
  const sum = { planned: 0, paid: 0, spare: 0, doubt: 0, tries: 0, pictures: 0, begun: 0, ended: 0, unpriced: 0, shots: shots.length };
  for (const shot of shots) {
    if (shot.tw !== undefined) continue;
    if (currency === 0 && typeof shot.q === "number") sum.planned += shot.q;
    if (shot.q === null) sum.unpriced += 1;
    const own = shot.a.filter((one) => !one.other && one.c === currency);
    if (shot.st === "done" && own.length > 0 && typeof shot.q === "number") {
      sum.begun += shot.q;
      sum.ended += own.reduce((all, one) => all + (one.ch ?? 0), 0);
    }
    for (const one of shot.a) {
      if (one.other || one.c !== currency) continue;
      sum.tries += 1;
      sum.pictures += one.st === "done" ? 1 : 0;
      sum.paid += one.ch ?? 0;
      if (!one.used) sum.spare += one.ch ?? 0;
      if (one.st === "in-doubt" || one.st === "running" || one.st === "submitting") sum.doubt += one.q ?? 0;
    }
  }
  return sum;
}

/** The view: by step, by an axis that the reader chooses, estimate against actual. */
class Money {
  constructor() {
    this.element = el("section", { class: "money", "aria-label": "Money" });
    this.axis = AXES.findIndex((axis) => !axis.take && axis.keys.length > 1);
  }

  show(shots) {
    this.shots = shots;
    const paid = shots.filter((shot) => shot.step.paid);
    if (paid.length === 0) {
      refill(this.element, el("p", { class: "empty" }, "Nothing that is shown costs anything: it is all local work."));
      return;
    }
    refill(this.element,
      el("p", { class: "note" }, isFiltered() ? `Of the ${counted(shots.length, "shot")} shown. ` : "", DATA.rehearsal ? "A rehearsal: nothing was paid; these are the amounts that a real run would have been charged." : "",
        ` Prices: ${DATA.book[0]}${DATA.book[1] ? ` of ${DATA.book[1]}` : ""}.`),
      DATA.currencies.map((_, currency) => this.currency(paid, currency)),
      DATA.gone[0] > 0 && el("p", { class: "note" }, `Besides, ${counted(DATA.gone[0], "try", "tries")} for pictures that the campaign no longer has: ${amounts(DATA.gone[1])}.`));
  }

  currency(shots, currency) {
    const all = reckoned(shots, currency);
    if (currency > 0 && all.tries === 0) return null;
    const steps = STEPS.map((step, ix) => ({ name: step.name, ...reckoned(shots.filter((shot) => shot.s === ix), currency) })).filter((row) => row.shots > 0);
    return [
      DATA.currencies.length > 1 && el("h2", {}, DATA.currencies[currency]),
      el("div", { class: "charts" },
        chart(`By step`, "estimate: one try for each shot; apart: how far finished shots stand from theirs", steps, currency, all),
        this.byAxis(shots, currency)),
    ];
  }

  byAxis(shots, currency) {
    const axes = AXES.map((axis, ix) => [ix, axis]).filter(([, axis]) => axis.keys.length > 1);
    if (axes.length === 0) return null;
    const rows = AXES[this.axis].keys
      .map((name, key) => ({ name: AXES[this.axis].take ? `#${name}` : name, ...reckoned(shots.filter((shot) => valueOn(shot, this.axis) === key), currency) }))
      .filter((row) => row.shots > 0);
    const pick = choice("by", axes.map(([ix, axis]) => [ix, axis.take ? "take" : axis.name]), this.axis, (ix) => {
      this.axis = Number(ix);
      this.show(this.shots);
    });
    return chart(pick, "shots that have this axis; what they share with others is in none of the rows", rows, currency, undefined);
  }
}

/** Bars with figures: a thin one for the estimate, a thick one for what was paid, its darker end for tries that brought nothing that is used. */
function chart(title, note, rows, currency, total) {
  const most = Math.max(1, ...rows.map((row) => Math.max(row.planned, row.paid + row.doubt)));
  const shown = rows.slice(0, 40);
  const line = (row) =>
    el("tr", {},
      el("th", { scope: "row" }, row.name),
      el("td", { class: "drawing" }, bars(row, most, currency)),
      el("td", { class: "number" }, currency === 0 ? (row.unpriced > 0 && row.planned === 0 ? "no price" : decimal(row.planned)) : ""),
      el("td", { class: "number" }, row.tries === 0 ? "\u2013" : decimal(row.paid)),
      el("td", { class: "number" }, row.tries === 0 ? "" : apart(row, currency)),
      el("td", { class: "number" }, grouped(row.tries)));
  const unit = DATA.currencies[currency] === "USD" ? "USD" : "credits";
  return el("section", { class: "chart" },
    typeof title === "string" ? el("h3", {}, title) : el("h3", {}, title),
    el("p", { class: "note" }, note, el("span", { class: "legend" }, el("i", { class: "planned" }), "estimate", el("i", { class: "paid" }), DATA.rehearsal ? "as if paid" : "paid", el("i", { class: "spare" }), "of it for pictures not in use", el("i", { class: "doubt" }), "in doubt")),
    el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, ""), el("th", { scope: "col", class: "drawing" }, ""),
        ["estimate", DATA.rehearsal ? "as if paid" : "paid", "apart", "tries"].map((word) => el("th", { scope: "col", class: "number" }, word)))),
      el("tbody", {}, shown.map(line)),
      total && rows.length > 1 && el("tfoot", {}, line({ name: `total, in ${unit}`, ...total, isTotal: true }))),
    rows.length > shown.length && el("p", { class: "note" }, `and ${rows.length - shown.length} more: filter to see them`));
}

/** How far what the finished shots cost stands from their estimate. */
function apart(row, currency) {
  if (currency !== 0 || row.begun === 0) return "";
  const percent = ((row.ended - row.begun) / row.begun) * 100;
  if (row.ended === row.begun) return "as planned";
  return `${percent > 0 ? "+" : "\u2212"}${Math.abs(percent) < 10 ? Math.abs(percent).toFixed(1) : Math.round(Math.abs(percent))}%`;
}

function bars(row, most, currency) {
  if (row.isTotal) return "";
  const wide = (micros) => Math.max(micros > 0 ? 0.6 : 0, (micros / most) * 100);
  const words = `${row.name}: estimate ${amount(currency, row.planned)}, paid ${amount(currency, row.paid)}, in doubt ${amount(currency, row.doubt)}`;
  const used = row.paid - row.spare;
  return svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": words },
    svg("title", {}, words),
    svg("rect", { class: "planned", x: 0, y: 0, width: wide(row.planned), height: 2.4 }),
    svg("rect", { class: "paid", x: 0, y: 3.6, width: wide(used), height: 6.4 }),
    svg("rect", { class: "spare", x: wide(used), y: 3.6, width: wide(row.spare), height: 6.4 }),
    svg("rect", { class: "doubt", x: wide(used) + wide(row.spare), y: 3.6, width: wide(row.doubt), height: 6.4 }));
}
