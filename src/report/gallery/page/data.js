// What the page knows: read once, never changed. Shots are known by their place in the plan.

const DATA = JSON.parse(byId("data").textContent);
const SHOTS = DATA.shots;
const STEPS = DATA.steps;
const AXES = DATA.axes;

/** Where a shot may stand, worst last, and how that is said. */
const STATUS_WORDS = {
  "done": "done",
  "failed": "failed",
  "in doubt": "in doubt",
  "rejected": "rejected",
  "under way": "under way",
  "waiting": "waits for a pick",
  "blocked": "held up",
  "to do": "to do",
  "left out": "left out",
};
const STATUSES = Object.keys(STATUS_WORDS);

SHOTS.forEach((shot, ix) => {
  shot.ix = ix;
  shot.step = STEPS[shot.s];
  shot.i ??= [];
  shot.a ??= [];
  shot.makes = [];
});
for (const shot of SHOTS) {
  for (const [maker] of shot.i) if (!SHOTS[maker].makes.includes(shot.ix)) SHOTS[maker].makes.push(shot.ix);
}

/** The place of a shot's value on an axis; nothing when its step lacks the axis. */
function valueOn(shot, axis) {
  const at = shot.step.axes.indexOf(axis);
  return at < 0 ? undefined : shot.c[at];
}

/** The values of a shot's axes, as a caption; its step when it has none. */
function caption(shot) {
  let words = "";
  shot.step.axes.forEach((axis, at) => {
    const key = AXES[axis].keys[shot.c[at]];
    words += AXES[axis].take ? ` #${key}` : (words ? " · " : "") + key;
  });
  return words || shot.step.name;
}

/** The rendered prompt; empty for work without one. */
function promptOf(shot) {
  return shot.p === undefined ? "" : DATA.prompts[shot.p];
}

/** Everything about a shot that a search looks at, in small letters. */
function haystack(shot) {
  shot.hay ??= [shot.id, shot.step.name, shot.step.model, shot.st, promptOf(shot), shot.why, shot.f, ...shot.a.map((one) => `${one.e ?? ""} ${one.task ?? ""}`)]
    .join("\n")
    .toLowerCase();
  return shot.hay;
}

/** What a campaign paid for a shot with all tries, by currency. */
function paidFor(shot, sums = new Map()) {
  if (shot.tw !== undefined) return sums;
  for (const one of shot.a) {
    if (!one.other && one.ch) sums.set(one.c, (sums.get(one.c) ?? 0) + one.ch);
  }
  return sums;
}

/** Whether a try of the shot has a cost that nobody knows. */
function hasUnknownCost(shot) {
  return shot.a.some((one) => one.ch === undefined || one.ch === null ? one.st === "done" || one.st === "failed" : false);
}

/** The cost of a shot in words: what was paid, else what is planned. */
function costWords(shot) {
  if (!shot.step.paid) return "free";
  if (shot.tw !== undefined) return "paid once";
  const tries = shot.a.filter((one) => !one.other);
  if (tries.some((one) => one.st === "in-doubt")) return "in doubt";
  if (tries.length > 0) return hasUnknownCost(shot) ? "cost unknown" : amounts(paidFor(shot));
  if (shot.a.length > 0) return "reused";
  if (shot.st === "done") return "paid";
  return shot.q === null || shot.q === undefined ? "no price" : `${amount(0, shot.q)} planned`;
}

/** The picture that a shot is made from, up to the first: the chain it stands at the end of. */
function chainTo(shot) {
  const chain = [shot];
  for (let maker = mainMaker(shot); maker && chain.length < 64; maker = mainMaker(maker)) chain.unshift(maker);
  return chain;
}

function mainMaker(shot) {
  const main = shot.i.find(([, role]) => role === "image");
  return main && SHOTS[main[0]];
}

/** The chain through a shot: what it came from, and the first that was made of each of its pictures. */
function chainThrough(shot) {
  const chain = chainTo(shot);
  for (let last = shot; chain.length < 64; ) {
    const next = last.makes.map((ix) => SHOTS[ix]).find((child) => mainMaker(child) === last);
    if (!next) break;
    chain.push(next);
    last = next;
  }
  return chain;
}

/** Shots by step, for those who look for siblings. */
const BY_STEP = STEPS.map(() => []);
for (const shot of SHOTS) BY_STEP[shot.s].push(shot);

/** The prompts that a shot's own may be read against: name, the other shot, and whether it is worth showing unasked. */
function references(shot) {
  if (shot.p === undefined) return [];
  const found = [];
  const add = (name, other, telling = false) => {
    if (other && other !== shot && other.p !== undefined && !found.some((one) => one.shot === other)) found.push({ name, shot: other, telling });
  };
  const first = (axes) => BY_STEP[shot.s].find((other) => shot.step.axes.every((axis, at) => (axes.has(axis) ? other.c[at] === 0 : other.c[at] === shot.c[at])));
  const plain = chainTo(shot).find((maker) => maker !== shot && shot.step.baseline && maker.step.baseline === shot.step.baseline && maker.step.kind === "generate");
  if (plain && shot.step.kind === "generate") add(`baseline ${shot.step.baseline}`, plain, true);
  const own = shot.step.axes.filter((axis) => !AXES[axis].take && !(mainMaker(shot)?.step.axes ?? []).includes(axis));
  for (const axis of [...shot.step.axes, ...own].reverse()) {
    add(`${AXES[axis].name} ${AXES[axis].keys[0]}, the first`, first(new Set([axis])), own.includes(axis));
  }
  if (plain) add(`baseline ${shot.step.baseline}, in ${plain.step.name}`, plain);
  for (const maker of chainTo(shot).reverse()) add(`${maker.step.name}, which it is made from`, maker);
  return found;
}
