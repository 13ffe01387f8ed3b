// What everything about moving text needs, fetched once: the catalogue of effects, its words, its style, the server's clock.

import { el } from "./dom.js";
import { operate } from "./http.js";
import { lateWords } from "./words.js";
import { EN_EMOTEXT } from "./words.en.emotext.js";
import { JA_EMOTEXT } from "./words.ja.emotext.js";

const SAMPLES = 3;
const CLOCK_MS = 5 * 60_000;

/** As `words` of words.js: these came later, and those too are here. */
export const words = lateWords({ ja: JA_EMOTEXT, en: EN_EMOTEXT });

/** Whoever wants less motion sees plain words. */
export const calm = matchMedia("(prefers-reduced-motion: reduce)");

let fetched = null;
let clock = null;

/** {effects, shapes}, once the style is there too; what failed is asked for again with the next call. */
export function book() {
  fetched ??= Promise.all([operate("emotext.list", {}), style()]).then(
    ([catalogue]) => catalogue,
    (error) => {
      fetched = null;
      throw error;
    },
  );
  return fetched;
}

function style() {
  return new Promise((done, failed) => {
    document.head.append(el("link", { rel: "stylesheet", href: new URL("./emotext.css", import.meta.url).href, onload: done, onerror: failed }));
  });
}

/** () → the server's time now, measured by the quickest of some questions, anew after some minutes. */
export async function serverClock() {
  if (!clock || Math.abs(Date.now() - clock.at) > CLOCK_MS) {
    const measured = measure();
    clock = { at: Date.now(), offset: measured };
    measured.catch(() => (clock = null));
  }
  const offset = await clock.offset;
  return () => Date.now() + offset;
}

async function measure() {
  let best = null;
  for (let n = 0; n < SAMPLES; n++) {
    const t = Date.now();
    const { server_time } = await operate("clock.read", { t });
    const took = Date.now() - t;
    if (!best || took < best.took) best = { took, offset: server_time - (t + took / 2) };
  }
  return best.offset;
}
