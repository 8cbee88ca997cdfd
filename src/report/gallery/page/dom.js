// Elements, text and figures. Everything that was written by somebody else reaches the page through here, as text.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element: attributes, listeners in `on`, custom properties in `vars`, then children; a string is a text. */
function el(tag, props, ...children) {
  return dress(document.createElement(tag), props, children);
}

/** As `el`, for drawings. */
function svg(tag, props, ...children) {
  return dress(document.createElementNS(SVG, tag), props, children);
}

function dress(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (name === "vars") {
      for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
    } else if (/^(on|style$|srcdoc$)/i.test(name)) {
      throw new Error(`no ${name} here`);
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  fill(node, children);
  return node;
}

/** Adds children; what is missing is left out. */
function fill(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** Puts children in the place of all that was there. */
function refill(node, ...children) {
  node.replaceChildren();
  return fill(node, children);
}

/** Finds an element of the page by its name. */
function byId(id) {
  return document.getElementById(id);
}

/** The address of a file of the tree: every name is escaped, so none of them is a scheme, a query or a way out. */
function hrefOf(path) {
  return "./" + path.split("/").map(encodeURIComponent).join("/");
}

/** Tells those who listen to the page instead of looking at it. */
function tell(text) {
  byId("told").textContent = text;
}

/** `1 shot`, `24 shots`. */
function counted(count, thing, things = thing + "s") {
  return `${grouped(count)} ${count === 1 ? thing : things}`;
}

function grouped(count) {
  return count < 10_000 ? String(count) : String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A number of millionths, rounded up to what a reader needs: 2 decimals from 10 on, 4 below. */
function decimal(micros) {
  const step = Math.abs(micros) >= 10_000_000 ? 10_000 : 100;
  const rounded = Math.ceil(micros / step) * step;
  const whole = Math.trunc(Math.abs(rounded) / 1_000_000);
  const rest = String(Math.abs(rounded) % 1_000_000).padStart(6, "0").replace(/0+$/, "");
  return (rounded < 0 ? "\u2212" : "") + grouped(whole) + (rest ? "." + rest : "");
}

/** An amount of one currency, by its place in the data. */
function amount(currency, micros) {
  if (DATA.currencies[currency] === "USD") return micros < 0 ? `\u2212$${decimal(-micros)}` : `$${decimal(micros)}`;
  return `${decimal(micros)} ${micros === 1_000_000 ? "credit" : "credits"}`;
}

/** Amounts of several currencies, side by side: they are never added. */
function amounts(sums) {
  const parts = [...sums].filter(([, micros]) => micros !== 0).map(([currency, micros]) => amount(currency, micros));
  return parts.length > 0 ? parts.join(" + ") : amount(0, 0);
}

/** `2026-11-22 09:45` in UTC. */
function moment(millis) {
  const at = new Date(millis);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString().slice(0, 16).replace("T", " ");
}

/** `31.2 s`, `4 min`. */
function span(millis) {
  if (millis < 100) return `${millis} ms`;
  return millis < 120_000 ? `${(millis / 1000).toFixed(1)} s` : `${Math.round(millis / 60_000)} min`;
}

/** Calls `work` once before the next frame, however often it is asked for. */
function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

/** A picture that falls back to the file itself, and then to words, when it cannot be shown. */
function picture(shot, whole, props) {
  const sources = [whole ? undefined : shot.t, shot.f].filter(Boolean).map(hrefOf);
  if (sources.length === 0) return el("span", { class: "blank" }, STATUS_WORDS[shot.st]);
  const image = el("img", { decoding: "async", draggable: "false", alt: "", ...props });
  image.addEventListener("error", () => {
    const next = sources.shift();
    if (next) image.src = next;
    else image.replaceWith(el("span", { class: "blank" }, "no longer there"));
  });
  image.src = sources.shift();
  return image;
}

/** A select with named choices; `choose` gets the value. */
function choice(label, options, chosen, choose) {
  const select = el("select", { on: { change: () => choose(select.value) } }, options.map(([value, text]) => el("option", { value, selected: String(value) === String(chosen) }, text)));
  return el("label", { class: "choice" }, el("span", {}, label), select);
}

function button(text, act, props) {
  return el("button", { type: "button", on: { click: act }, ...props }, text);
}
