// How the link is: in a word at the top, and what one can do where the server refused it.

import { byId } from "./dom.js";
import { words } from "./words.js";

export class LinkLine {
  #now = { state: "stopped", reason: "", via: "" };

  constructor(client) {
    byId("link-act").addEventListener("click", () => {
      if (this.#now.reason === "fault") location.reload();
      else client.start();
    });
  }

  /** It is so now: the client's event `state`. */
  tell(now) {
    this.#now = now;
    this.respoken();
  }

  respoken() {
    const { state, reason, via } = this.#now;
    byId("link").dataset.state = state;
    byId("link-text").textContent = words[`state_${via || state}`] ?? words.state_stopped;
    byId("refusal").hidden = state !== "refused";
    byId("refusal-text").textContent = words[`refused_${reason}`] ?? "";
    byId("link-act").textContent = reason === "fault" ? words.page_reload : words.connect_again;
  }
}
