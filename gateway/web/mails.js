// The demo's mails on the page. Where there is no demo, or another key, nothing is shown.

import { post } from "./http.js";
import { el } from "./dom.js";
import { DEMO, recall } from "./kept.js";
import { words } from "./words.js";

const LOOK_MS = 1_000;

/** A box with the newest mail to `address`, kept fresh while it is on the page; null without a demo's key. */
export function mailBox(address) {
  const key = recall(DEMO);
  if (!key) return null;
  const text = el("pre", {}, words.demo_mail_none);
  const box = el("aside", { class: "demo-mail", "aria-label": words.demo_mail }, el("h3", {}, words.demo_mail), el("p", { class: "quiet" }, words.demo_mail_hint), text);
  const look = async () => {
    try {
      const { mails } = await post("/demo/mails", { key, address });
      if (mails.length) text.textContent = `${mails[0].subject}\n\n${mails[0].text}`;
    } catch (error) {
      if (!error.temporary) return box.remove();
    }
    // Asked again only while somebody can read it.
    setTimeout(() => box.isConnected && look(), LOOK_MS);
  };
  look();
  return box;
}
