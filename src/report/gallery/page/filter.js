// Which shots are shown, and in what groups.

/** What the reader asked for. Sets that are empty let everything through. */
const asked = { query: "", group: "step", view: "shots", size: innerWidth < 560 ? 150 : 180, sets: new Map(), chosen: new Set(), large: undefined, beside: false };

/** Called after every change of what is shown. */
const onChange = [];

/** What shots can be filtered by: name, the values in order, and the value of a shot. */
const FACETS = [
  { key: "status", name: "Status", values: STATUSES, words: (value) => STATUS_WORDS[value], of: (shot) => shot.st },
  { key: "step", name: "Step", values: STEPS.map((_, ix) => ix), words: (ix) => STEPS[ix].name, of: (shot) => shot.s },
  {
    key: "model",
    name: "Model",
    values: [...new Set(STEPS.map((step) => step.model ?? ""))],
    words: (model) => model || "local, no model",
    of: (shot) => shot.step.model ?? "",
  },
  ...AXES.map((axis, ix) => ({
    key: `axis:${ix}`,
    name: axis.take ? "Take" : axis.name,
    values: axis.keys.map((_, value) => value),
    words: (value) => (axis.take ? `#${axis.keys[value]}` : axis.keys[value]),
    of: (shot) => valueOn(shot, ix),
  })),
].filter((facet) => facet.values.length > 1);

/** Finds a facet by its key. */
function facetOf(key) {
  return FACETS.find((facet) => facet.key === key);
}

/** Returns whether a shot passes all facets but the one that is left out. */
function passes(shot, without) {
  for (const facet of FACETS) {
    const wanted = asked.sets.get(facet.key);
    if (facet !== without && wanted?.size > 0 && !wanted.has(facet.of(shot))) return false;
  }
  return true;
}

/** Returns whether every word of the search stands somewhere in a shot. */
function matcher() {
  const words = asked.query.toLowerCase().split(/\s+/).filter(Boolean);
  return (shot) => words.every((word) => haystack(shot).includes(word));
}

/** What is shown now: shots in plan's order, and how many each value of each facet would show. */
function look() {
  const matches = matcher();
  const found = SHOTS.filter(matches);
  const counts = new Map(FACETS.map((facet) => [facet.key, new Map()]));
  for (const facet of FACETS) {
    const count = counts.get(facet.key);
    for (const shot of found) {
      if (passes(shot, facet)) count.set(facet.of(shot), (count.get(facet.of(shot)) ?? 0) + 1);
    }
  }
  return { shots: found.filter((shot) => passes(shot)), counts };
}

/** Splits shots by the facet that was asked for; groups stand in the facet's order, and those without a value last. */
function groupsOf(shots) {
  const facet = facetOf(asked.group);
  if (!facet) return [{ name: "", shots }];
  const groups = new Map(facet.values.map((value) => [value, []]));
  const rest = [];
  for (const shot of shots) (groups.get(facet.of(shot)) ?? rest).push(shot);
  const named = [...groups].filter(([, own]) => own.length > 0).map(([value, own]) => ({ name: facet.words(value), shots: own }));
  return rest.length > 0 ? [...named, { name: `without ${facet.name}`, shots: rest }] : named;
}

/** Wants, or no longer wants, one value of a facet. */
function toggle(key, value, wanted) {
  const set = asked.sets.get(key) ?? new Set();
  if (wanted) set.add(value);
  else set.delete(value);
  asked.sets.set(key, set);
  changed();
}

/** Wants one value of a facet and nothing else of it. */
function only(key, value) {
  asked.sets.set(key, new Set([value]));
  changed();
}

/** Lets everything through again. */
function clearFilters() {
  asked.sets.clear();
  asked.query = "";
  changed();
}

function isFiltered() {
  return asked.query !== "" || [...asked.sets.values()].some((set) => set.size > 0);
}

const changed = oncePerFrame(() => {
  const shown = look();
  for (const listener of onChange) listener(shown);
  remember();
});

/** Writes what is asked for into the address, so that it can be kept and sent. */
function remember() {
  const words = new URLSearchParams();
  if (asked.query) words.set("q", asked.query);
  if (asked.group !== "step") words.set("group", asked.group);
  if (asked.view !== "shots") words.set("view", asked.view);
  if (asked.large) words.set("shot", asked.large.id);
  if (asked.beside) for (const ix of asked.chosen) words.append("beside", SHOTS[ix].id);
  for (const [key, set] of asked.sets) for (const value of set) words.append(key, value);
  const text = words.toString();
  try {
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  } catch {
    // Some browsers keep the address of a local file as it is.
  }
}

/** Reads it back; what does not fit is left out. */
function recall() {
  const words = new URLSearchParams(location.hash.slice(1));
  asked.query = words.get("q") ?? "";
  asked.group = words.get("group") ?? "step";
  asked.view = ["shots", "money", "picks"].includes(words.get("view")) ? words.get("view") : "shots";
  asked.large = SHOTS.find((shot) => shot.id === words.get("shot"));
  const beside = words.getAll("beside");
  asked.beside = beside.length > 1;
  if (asked.beside) asked.chosen = new Set(SHOTS.filter((shot) => beside.includes(shot.id)).map((shot) => shot.ix));
  asked.sets.clear();
  for (const facet of FACETS) {
    const known = new Map(facet.values.map((value) => [String(value), value]));
    const wanted = words.getAll(facet.key).filter((text) => known.has(text));
    if (wanted.length > 0) asked.sets.set(facet.key, new Set(wanted.map((text) => known.get(text))));
  }
}
