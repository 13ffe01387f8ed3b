// A screen that is not needed at first sight: its module is fetched once somebody is inside, and made once. What always
// holds: a link that is gone leaves it for the next time.

export class Later {
  #load;
  #missing;
  #coming = null;
  /** The screen, once it is there. */
  made = null;

  /** `load()` resolves with the screen; `missing()` is called when somebody wants it and it cannot be had now. */
  constructor(load, missing) {
    this.#load = load;
    this.#missing = missing;
  }

  /** Have it at hand. */
  fetch() {
    this.#coming ??= this.#load().then(
      (made) => (this.made = made),
      () => (this.#coming = null),
    );
    return this.#coming;
  }

  /** Do something with it, as soon as it is there. */
  async use(act) {
    const made = await this.fetch();
    if (made) await act(made);
    else this.#missing();
  }
}
