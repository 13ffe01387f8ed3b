// A link by WebSocket: a ticket by the cookie, then the socket. No DOM in here.
//
// A link (this one, polling.js, tabs.js) is made with `ear` = {opened(credential), frame(object), closed(code),
// failed(code, retryMs)} and has send(object) and close(). What always holds: after `close` it says nothing more, and
// `closed` or `failed` is the last it says.

import { operate } from "./http.js";

export const WITHOUT = "no_socket";

function newSocket() {
  return new WebSocket(location.origin.replace(/^http/, "ws") + "/gateway", "tsudoi.v1");
}

export class WireSocket {
  #ear;
  #socket = null;
  #over = false;

  constructor(ear) {
    this.#ear = ear;
    this.#open();
  }

  async #open() {
    try {
      const { ticket } = await operate("session.ticket", {});
      if (!this.#over) this.#connect(ticket);
    } catch (error) {
      if (!this.#over) this.#end(() => this.#ear.failed(error.code ?? WITHOUT, error.retryMs ?? null));
    }
  }

  #connect(ticket) {
    const socket = newSocket();
    this.#socket = socket;
    socket.onopen = () => this.#ear.opened({ ticket });
    socket.onmessage = ({ data }) => this.#ear.frame(JSON.parse(data));
    socket.onclose = ({ code }) => this.#end(() => this.#ear.closed(code));
  }

  #end(tell) {
    if (this.#over) return;
    this.#over = true;
    tell();
  }

  send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  close() {
    this.#over = true;
    const socket = this.#socket;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }
}

/** True if a WebSocket gets as far as the server's greeting. */
export function socketWorks(withinMs) {
  return new Promise((resolve) => {
    let socket;
    const answer = (works) => {
      clearTimeout(timer);
      resolve(works);
      if (!socket) return;
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
    };
    const timer = setTimeout(() => answer(false), withinMs);
    try {
      socket = newSocket();
      socket.onmessage = () => answer(true);
      socket.onclose = () => answer(false);
    } catch {
      answer(false);
    }
  });
}
