// Two texts, word by word: what they share and what they do not.

/** Most words that are compared; past it the work would be felt. */
const MOST_WORDS = 3000;

/** Returns stretches in order: `{ same }`, or `{ was, is }`, each a list of words. */
function stretches(before, after) {
  const was = before.split(/\s+/).filter(Boolean);
  const is = after.split(/\s+/).filter(Boolean);
  if (was.length > MOST_WORDS || is.length > MOST_WORDS) return before === after ? [{ same: is }] : [{ was, is }];
  const found = [];
  let [left, right] = [0, 0];
  for (const [at, to, length] of [...runs(was, is), [was.length, is.length, 0]]) {
    if (at > left || to > right) found.push({ was: was.slice(left, at), is: is.slice(right, to) });
    if (length > 0) found.push({ same: is.slice(to, to + length) });
    [left, right] = [at + length, to + length];
  }
  return found;
}

/** Returns where the longest common sequence runs: place in one, place in the other, length. */
function runs(was, is) {
  const width = is.length + 1;
  const best = new Uint16Array((was.length + 1) * width);
  for (let i = was.length - 1; i >= 0; i--) {
    for (let j = is.length - 1; j >= 0; j--) {
      best[i * width + j] = was[i] === is[j] ? best[(i + 1) * width + j + 1] + 1 : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    }
  }
  const found = [];
  for (let i = 0, j = 0; i < was.length && j < is.length; ) {
    if (was[i] === is[j]) {
      const last = found.at(-1);
      if (last && last[0] + last[2] === i && last[1] + last[2] === j) last[2] += 1;
      else found.push([i, j, 1]);
      i += 1;
      j += 1;
    } else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return found;
}

/** The second text with what it lost and gained over the first. */
function diffNodes(before, after) {
  return stretches(before, after).map((part) => {
    if (part.same) return part.same.join(" ") + " ";
    return [part.was.length > 0 && [el("del", {}, part.was.join(" ")), " "], part.is.length > 0 && [el("ins", {}, part.is.join(" ")), " "]];
  });
}
