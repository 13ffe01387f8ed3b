// Keeps a scrolled list still under the reader's thumb. What always holds: a change of the list either leaves the line
// at the top of the view where it was, or, for a reader at the end, shows the new end.

const NEAR_PX = 48;

export class Scroll {
  #box;
  #list;
  #atEnd = true;
  #moved;

  /** `box` scrolls the items of `list`; `moved()` is called after the reader moved, or the view's size changed. */
  constructor(box, list, moved) {
    this.#box = box;
    this.#list = list;
    this.#moved = moved;
    box.addEventListener("scroll", () => this.#look(), { passive: true });
    // An on-screen keyboard takes half of the view: whoever was at the end stays there.
    new ResizeObserver(() => {
      if (this.#atEnd) this.toEnd();
      this.#moved();
    }).observe(box);
  }

  get atEnd() {
    return this.#atEnd;
  }

  /** How many pixels lie above the view, and beneath it. */
  get above() {
    return this.#box.scrollTop;
  }

  get beneath() {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
  }

  get height() {
    return this.#box.clientHeight;
  }

  /** Run `change` and keep still. Without `stick`, the end is a place like any other: history goes on after it. */
  keep(change, stick = true) {
    if (this.#atEnd && stick) {
      change();
      this.toEnd();
      return;
    }
    const anchor = this.firstSeen();
    // By its end: a day's mark at its head goes when what was said before on the same day comes in.
    const before = anchor?.getBoundingClientRect().bottom ?? 0;
    change();
    if (anchor?.isConnected) this.#box.scrollTop += anchor.getBoundingClientRect().bottom - before;
    this.#look();
  }

  toEnd() {
    this.#atEnd = true;
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  /** Bring an item into view, a third of the way down. */
  to(item) {
    const delta = item.getBoundingClientRect().top - this.#box.getBoundingClientRect().top;
    this.#box.scrollTop += delta - this.#box.clientHeight / 3;
    this.#look();
  }

  /** The first item that is in view with its end. */
  firstSeen() {
    const top = this.#box.getBoundingClientRect().top;
    return this.#list.children[this.#countTo((item) => item.getBoundingClientRect().bottom > top)];
  }

  /** The last item that is in view with its end. */
  lastSeen() {
    const end = this.#box.getBoundingClientRect().bottom + 1;
    return this.#list.children[this.#countTo((item) => item.getBoundingClientRect().bottom > end) - 1];
  }

  /** How many items come before the first that `is` beyond; they stand one below the other, so halving finds it. */
  #countTo(is) {
    let low = 0;
    let high = this.#list.children.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (is(this.#list.children[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #look() {
    this.#atEnd = this.beneath < NEAR_PX;
    this.#moved();
  }
}
