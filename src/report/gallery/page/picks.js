// Choosing and turning down. Served by `callsheet review` every word is kept at once; opened as a file the page hands out a picks file.

/** Whether somebody listens who can write the file. */
const IS_SERVED = location.protocol === "http:";

/** What is chosen and turned down, by the addresses that programs know: the same as the file holds. */
class Picks {
  constructor() {
    this.take(DATA.saved);
    this.cells = DATA.picks.map(({ cell, of }) => ({ shot: SHOTS[cell], of: of.map((ix) => SHOTS[ix]) }));
    this.changes = 0;
    this.listeners = [];
    this.asked = Promise.resolve();
  }

  take(state) {
    this.chosen = new Map(Object.entries(state.picks));
    this.rejected = new Map(Object.entries(state.rejected));
  }

  /** Asks the server for the file as it is now. */
  async refresh() {
    if (IS_SERVED) await this.ask("GET");
  }

  /** The cell that a shot is a candidate of. */
  cellOf(shot) {
    return this.cells.find((cell) => cell.of.includes(shot));
  }

  /** The shot that is chosen in a cell, while its picture is the one that was looked at. */
  chosenIn(cell) {
    const chosen = this.chosen.get(address(cell.shot));
    return chosen && cell.of.find((shot) => address(shot) === chosen.shot && shot.d === chosen.picture);
  }

  /** Whether a choice was made for a picture that is no longer there. */
  isStale(cell) {
    return this.chosen.has(address(cell.shot)) && !this.chosenIn(cell);
  }

  /** The refusal of a shot's picture, if there is one. */
  refusal(shot) {
    return this.rejected.get(address(shot))?.find((one) => one.picture === shot.d);
  }

  /** Whether a picture can be turned down: paid work, because local work would come out the same. */
  canReject(shot) {
    return shot.step.paid && Boolean(shot.d);
  }

  choose(cell, shot, note) {
    if (!shot.d) return Promise.resolve();
    const before = this.refusal(shot) ? [{ do: "unreject", shot: address(shot), picture: shot.d }] : [];
    return this.say([...before, { do: "choose", pick: address(cell.shot), shot: address(shot), picture: shot.d, note }]);
  }

  unchoose(cell) {
    return this.say([{ do: "unchoose", pick: address(cell.shot) }]);
  }

  reject(shot, note) {
    return this.canReject(shot) ? this.say([{ do: "reject", shot: address(shot), picture: shot.d, note }]) : Promise.resolve();
  }

  unreject(shot) {
    return this.say([{ do: "unreject", shot: address(shot), picture: shot.d }]);
  }

  /** Does what was said: on the server, which keeps it, or here, to be handed out. */
  async say(words) {
    if (IS_SERVED) {
      await this.ask("POST", words);
      return;
    }
    for (const word of words) this.apply(word);
    this.changes += words.length;
    this.tell();
  }

  apply(word) {
    const others = (this.rejected.get(word.shot) ?? []).filter((one) => one.picture !== word.picture);
    if (word.do === "choose") this.chosen.set(word.pick, { shot: word.shot, picture: word.picture, ...(word.note ? { note: word.note } : {}) });
    else if (word.do === "unchoose") this.chosen.delete(word.pick);
    else if (word.do === "reject") {
      this.rejected.set(word.shot, [...others, { picture: word.picture, ...(word.note ? { note: word.note } : {}) }]);
      for (const [pick, one] of this.chosen) if (one.shot === word.shot && one.picture === word.picture) this.chosen.delete(pick);
    } else if (word.do === "unreject") {
      if (others.length > 0) this.rejected.set(word.shot, others);
      else this.rejected.delete(word.shot);
    }
  }

  /** Asks one thing after the other, so that no older answer replaces a newer one. */
  ask(method, words) {
    this.asked = this.asked.then(() => this.exchange(method, words));
    return this.asked;
  }

  async exchange(method, words) {
    try {
      const answer = await fetch("./picks", { method, headers: words && { "Content-Type": "application/json" }, body: words && JSON.stringify(words), cache: "no-store" });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error);
      this.take(said);
      this.trouble = undefined;
    } catch (error) {
      this.trouble = `not kept: ${error.message}`;
      tell(this.trouble);
    }
    this.tell();
  }

  tell() {
    for (const listener of this.listeners) listener();
  }

  /** The file, byte for byte as the program writes it. */
  file() {
    const lines = ["# yaml-language-server: $schema=../schemas/picks.schema.json", "version: 1", `campaign: ${quoted(DATA.name)}`];
    const sorted = (map) => [...map].sort(([a], [b]) => byBytes(a, b));
    if (this.chosen.size > 0) lines.push("picks:");
    for (const [pick, one] of sorted(this.chosen)) {
      lines.push(`  ${quoted(pick)}:`, `    shot: ${quoted(one.shot)}`, `    picture: "${one.picture}"`);
      if (one.note) lines.push(`    note: ${quoted(one.note)}`);
      if (one.automatic) lines.push(`    automatic: ${one.automatic}`);
    }
    if (this.rejected.size > 0) lines.push("rejected:");
    for (const [shot, pictures] of sorted(this.rejected)) {
      lines.push(`  ${quoted(shot)}:`);
      for (const one of pictures) {
        lines.push(`    - picture: "${one.picture}"`);
        if (one.note) lines.push(`      note: ${quoted(one.note)}`);
      }
    }
    return lines.join("\n") + "\n";
  }

  /** Hands the file out: the browser saves it, and its reader puts it where the words beside the button say. */
  download() {
    const link = el("a", { href: URL.createObjectURL(new Blob([this.file()], { type: "application/yaml" })), download: `${DATA.name}.yaml` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    this.changes = 0;
    this.tell();
  }
}

/** The address of a shot as programs know it. */
function address(shot) {
  return shot.raw ?? shot.id;
}

/** A text as a double-quoted scalar on one line; what does not print is escaped. */
function quoted(text) {
  const known = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r" };
  const harmful = /["\\\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\u202a-\u202e\u2066-\u2069]/g;
  return `"${text.replace(harmful, (char) => known[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;
}

/** Orders texts as the program does: by their bytes. */
function byBytes(a, b) {
  const [left, right] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) if (left[at] !== right[at]) return left[at] - right[at];
  return left.length - right.length;
}
