// Everything that is known of a shot, in words: prompt and what differs, settings, cost, tries, parents and children.

/** `open` is called with the shot of a link. */
function factsOf(shot, open) {
  return [
    el("p", { class: "address" }, shot.id.split(/(?<=[,[])/).map((part) => [part, el("wbr")])),
    el("p", { class: "stand" }, el("b", { "data-status": shot.st }, STATUS_WORDS[shot.st]),
      shot.by !== undefined && [" behind ", shotLink(SHOTS[shot.by], open)],
      shot.tw !== undefined && [", the same picture as ", shotLink(SHOTS[shot.tw], open), ": paid once"]),
    picksPart(page.picks, shot),
    shot.why && el("blockquote", { class: "why" }, shot.why),
    promptPart(shot),
    part("Made with", settingsPart(shot)),
    shot.step.paid && part("Cost", costPart(shot)),
    shot.a.length > 0 && part(counted(shot.a.length, "try", "tries"), triesPart(shot)),
    shot.m && part("Measured", measuredPart(shot.m)),
    shot.rj && part("Turned down", downPart(shot.rj)),
    shot.i.length > 0 && part("Made from", relatives(shot.i.map(([ix, role]) => [SHOTS[ix], role]), open)),
    shot.makes.length > 0 && part("Made of it", relatives(shot.makes.map((ix) => [SHOTS[ix], SHOTS[ix].step.kind]), open)),
  ];
}

function part(title, ...content) {
  return el("section", {}, el("h3", {}, title), content);
}

/** The prompt, plain or against another; the reader chooses which. */
function promptPart(shot) {
  const prompt = promptOf(shot);
  if (!prompt) return null;
  const others = references(shot);
  const text = el("div", { class: "prompt" });
  const show = (place) => {
    const other = others[Number(place)]?.shot;
    if (place === "" || !other) refill(text, prompt);
    else refill(text, promptOf(other) === prompt ? [el("em", {}, "No word differs. "), prompt] : diffNodes(promptOf(other), prompt));
  };
  const unasked = others[0]?.telling ? "0" : "";
  show(unasked);
  const select = others.length > 0 && choice("against", [["", "nothing: as it is"], ...others.map((one, at) => [at, one.name])], unasked, show);
  return el("section", {}, el("div", { class: "line" }, el("h3", {}, "Prompt"), select), text);
}

function settingsPart(shot) {
  const settings = [["step", `${shot.step.name}, ${shot.step.kind}`]];
  if (shot.step.model) settings.push(["model", shot.step.model]);
  if (shot.step.baseline) settings.push(["baseline", shot.step.baseline]);
  settings.push(...(shot.o === undefined ? [] : DATA.settings[shot.o]));
  settings.push(["size", `${shot.w} \u00d7 ${shot.h} px`]);
  const rows = settings.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
  if (shot.f) rows.push([el("dt", {}, "file"), el("dd", {}, el("a", { href: hrefOf(shot.f), target: "_blank", rel: "noopener" }, shot.f))]);
  if (shot.d) rows.push([el("dt", {}, "digest"), el("dd", { class: "mono" }, shot.d.slice(0, 16))]);
  return el("dl", {}, rows);
}

function costPart(shot) {
  const rows = [];
  if (shot.q !== undefined) rows.push(["one try", shot.q === null ? "no price" : amount(0, shot.q)]);
  const paid = paidFor(shot);
  if (shot.a.some((one) => !one.other)) rows.push([DATA.rehearsal ? "as if paid" : "paid", costWords(shot)]);
  for (const [name, field] of [["refunded", "rf"], ["released", "rl"]]) {
    const back = new Map();
    for (const one of shot.a) if (one[field]) back.set(one.c, (back.get(one.c) ?? 0) + one[field]);
    if (back.size > 0) rows.push([name, amounts(back)]);
  }
  if (paid.size === 0 && shot.a.length > 0 && shot.a.every((one) => one.other)) rows.push(["paid by", "another campaign, reused here"]);
  return el("dl", {}, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** All tries, the failed ones too: they are part of what it took. */
function triesPart(shot) {
  const rows = shot.a.map((one) => {
    const charged = one.ch === undefined || one.ch === null ? "?" : amount(one.c, one.ch);
    const end = one.e ? `${one.st}: ${one.e}` : one.st;
    const small = one.t && el("img", { src: hrefOf(one.t), alt: `What try ${one.n} brought`, decoding: "async" });
    return el("tr", {},
      el("th", { scope: "row" }, one.n),
      el("td", {}, el("b", { "data-status": one.st === "in-doubt" ? "in doubt" : one.st }, end), one.used && " in use", one.other && ", paid by another campaign", small,
        el("small", {}, `${moment(one.at)}${one.ms === undefined ? "" : `, took ${span(one.ms)}`}`, one.task && el("span", { class: "mono" }, ` ${one.task}`))),
      el("td", { class: "number" }, charged));
  });
  return el("table", { class: "tries" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "#"), el("th", { scope: "col" }, "what came of it"), el("th", { scope: "col", class: "number" }, "charged"))), el("tbody", {}, rows));
}

/** What checks measured, in words; what was not good enough stands out. */
function measuredPart(measured) {
  return el("ul", { class: "measured" }, measured.map(([words, passed]) => el("li", {}, passed ? words : el("b", { "data-status": "rejected" }, words))));
}

/** Pictures that were paid for and turned down: all of them can still be looked at. */
function downPart(pictures) {
  return el("ul", { class: "relatives" }, pictures.map((one) => {
    const link = el("a", { href: hrefOf(one.f), target: "_blank", rel: "noopener", class: "link", "aria-label": `What was turned down${one.n ? ` of try ${one.n}` : ""}` });
    link.append(picture(one));
    return el("li", {}, link, el("span", {}, one.why, el("small", {}, one.n ? `try ${one.n}` : "", one.m.map(([words]) => ` \u00b7 ${words}`))));
  }));
}

/** Shots as small pictures with a name; many of them are cut short and opened on demand. */
function relatives(pairs, open) {
  const few = 12;
  const item = ([shot, role]) =>
    el("li", {}, button([], () => open(shot), { class: "link", "aria-label": `${shot.step.name}, ${caption(shot)}` }), el("span", {}, shotLink(shot, open), el("small", {}, role)));
  const items = (some) => some.map((pair) => {
    const node = item(pair);
    node.firstChild.append(picture(pair[0]));
    return node;
  });
  const list = el("ul", { class: "relatives" }, items(pairs.slice(0, few)));
  if (pairs.length <= few) return list;
  const more = button(`${counted(pairs.length - few, "more", "more")}`, () => {
    fill(list, items(pairs.slice(few)));
    more.remove();
  });
  return [list, more];
}

function shotLink(shot, open) {
  return button(`${shot.step.name} ${caption(shot) === shot.step.name ? "" : caption(shot)}`.trim(), () => open(shot), { class: "text" });
}
