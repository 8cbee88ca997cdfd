// Looking closer: one view, any number of panes, all of them at the same place of their pictures.

const MOST_ZOOM = 16;

class Zoom {
  /** `told` is called with the zoom in percent of the whole picture. */
  constructor(told) {
    this.told = told;
    this.panes = [];
    this.pointers = new Map();
    this.reset();
    this.draw = oncePerFrame(() => this.place());
    this.watch = new ResizeObserver(() => this.draw());
  }

  reset() {
    [this.times, this.x, this.y] = [1, 0.5, 0.5];
  }

  /** Takes pictures into the view; all of one pane lie upon each other. */
  add(frame, images, shape) {
    const pane = { frame, images, shape };
    this.panes.push(pane);
    frame.classList.add("pane");
    frame.addEventListener("wheel", (event) => this.wheel(event, pane), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.down(event, pane));
    frame.addEventListener("pointermove", (event) => this.move(event, pane));
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, (event) => this.up(event));
    frame.addEventListener("dblclick", (event) => this.about(event, pane, this.times > 1.01 ? 1 : this.natural(pane)));
    this.watch.observe(frame);
    this.draw();
  }

  clear() {
    this.watch.disconnect();
    this.panes = [];
    this.pointers.clear();
    this.reset();
  }

  /** How large a whole picture is shown in its pane. */
  fitted(pane) {
    const { clientWidth: width, clientHeight: height } = pane.frame;
    const wide = Math.min(width, height / pane.shape);
    return [Math.max(1, wide), Math.max(1, wide * pane.shape)];
  }

  /** The zoom at which a pixel of the picture is a pixel of the screen; at least twice. */
  natural(pane) {
    const image = pane.images.find((one) => one.naturalWidth > 0);
    return Math.min(MOST_ZOOM, Math.max(2, (image?.naturalWidth ?? 0) / this.fitted(pane)[0]));
  }

  place() {
    for (const pane of this.panes) {
      const [width, height] = this.fitted(pane);
      const move = `translate(${(0.5 - this.x) * width * this.times}px, ${(0.5 - this.y) * height * this.times}px) scale(${this.times})`;
      for (const image of pane.images) image.style.transform = move;
      pane.frame.classList.toggle("near", this.times > 1.01);
    }
    this.told?.(Math.round(this.times * 100));
  }

  /** Zooms so that what is under the pointer stays there. */
  about(event, pane, times) {
    const box = pane.frame.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
    const [width, height] = this.fitted(pane);
    const next = Math.min(MOST_ZOOM, Math.max(1, times));
    this.x += left / (width * this.times) - left / (width * next);
    this.y += top / (height * this.times) - top / (height * next);
    this.times = next;
    this.keep();
  }

  /** Zooms about the middle. */
  by(factor) {
    this.times = Math.min(MOST_ZOOM, Math.max(1, this.times * factor));
    this.keep();
  }

  /** Moves by shares of what is seen. */
  pan(x, y) {
    this.x += x / this.times;
    this.y += y / this.times;
    this.keep();
  }

  whole() {
    this.reset();
    this.draw();
  }

  keep() {
    const room = 0.5 - 0.5 / this.times;
    this.x = Math.min(0.5 + room, Math.max(0.5 - room, this.x));
    this.y = Math.min(0.5 + room, Math.max(0.5 - room, this.y));
    this.draw();
  }

  wheel(event, pane) {
    event.preventDefault();
    this.about(event, pane, this.times * Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0018)));
  }

  down(event, pane) {
    if (event.target.closest("input, button")) return;
    pane.frame.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
  }

  move(event, pane) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const others = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (others.length > 0) {
      const apart = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY);
      this.about(event, pane, (this.times * apart(event)) / Math.max(1, apart(last)));
      return;
    }
    const [width, height] = this.fitted(pane);
    this.x -= (event.clientX - last.clientX) / (width * this.times);
    this.y -= (event.clientY - last.clientY) / (height * this.times);
    this.keep();
  }

  up(event) {
    this.pointers.delete(event.pointerId);
  }

  /** Takes a key, or leaves it: `+`, `-`, `0`, and arrows while a part is seen. */
  key(event) {
    const acts = { "+": () => this.by(1.5), "=": () => this.by(1.5), "-": () => this.by(1 / 1.5), "0": () => this.whole() };
    const moves = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (acts[event.key]) acts[event.key]();
    else if (moves[event.key] && this.times > 1.01) this.pan(...moves[event.key]);
    else return false;
    event.preventDefault();
    return true;
  }
}
