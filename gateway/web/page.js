// The page: puts its parts together and moves between the door, the rooms and a talk.

import { Client, post } from "./client.js";
import { Dialogs } from "./dialogs.js";
import { demoKey, knock, say } from "./door.js";
import { byId, fillWords } from "./dom.js";
import { INSIDE, OPEN, forget, recall } from "./kept.js";
import { Menu } from "./menu.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { RoomList } from "./roomlist.js";
import { RoomBook } from "./rooms.js";
import { Shelf } from "./shelf.js";
import { TalkView } from "./talkview.js";
import { words, wordsOf } from "./words.js";

const NOTICE_MS = 5_000;

class Page {
  #noticeTimer = 0;

  constructor() {
    this.client = new Client({ shown: () => document.visibilityState === "visible" });
    this.people = new People(this.client, () => this.#render());
    this.rooms = new RoomBook(this.client, this.people, () => this.#roomsChanged());
    this.shelf = new Shelf();
    this.outbox = new Outbox(this.client, {
      shelf: this.shelf,
      changed: (room) => room === this.room && this.talk.render(),
      sent: (line, sent) => this.talk.sent(line, sent),
    });
    this.talk = new TalkView(this);
    this.list = new RoomList(this);
    this.dialogs = new Dialogs(this);
    this.menu = new Menu(this);
    this.client.on("state", (state) => this.#state(state));
    this.client.on("live", (live) => this.#live(live));
    this.client.on("event", (frame) => this.#event(frame));
    this.client.on("reload", ({ ch }) => this.#reload(ch));
    this.#listen();
  }

  get room() {
    return this.talk.room;
  }

  #listen() {
    byId("new-button").addEventListener("click", () => this.dialogs.openNew());
    byId("people-button").addEventListener("click", () => this.dialogs.openPeople(this.room));
    byId("leave").addEventListener("click", () => this.#leave());
    byId("back").addEventListener("click", () => history.back());
    byId("link-act").addEventListener("click", () => this.#mend());
    addEventListener("popstate", ({ state }) => (state?.room ? this.#show(state.room) : this.#showList()));
    addEventListener("hashchange", () => this.#leave());
    addEventListener("online", () => this.client.online());
    addEventListener("pageshow", () => this.client.nudge());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      this.client.nudge();
      this.#render();
      this.talk.woken();
    });
  }

  // In and out

  /** Come in with the cookie this browser has, or by the door. */
  async begin() {
    const knows = localStorage.getItem(INSIDE);
    if (demoKey() && !knows) {
      await this.#enter();
      return;
    }
    this.#screen("door");
    say(words.loading);
    this.client.start();
  }

  async #enter(told = "") {
    this.#screen("door");
    await knock(told);
    say(words.loading);
    localStorage.setItem(INSIDE, "yes");
    this.client.start();
  }

  #leave() {
    localStorage.removeItem(INSIDE);
    this.client.stop();
    this.#forget();
    this.#enter();
  }

  /** End this session, here and in every tab that shares it. */
  async logOut() {
    this.client.stop();
    try {
      await post("/api/v1/session.delete", {});
    } catch (error) {
      // A session that is over already is what was asked for.
      if (error.code !== "unauthenticated") {
        this.notice(words.log_out_failed);
        this.client.start();
        return;
      }
    }
    localStorage.removeItem(INSIDE);
    this.shelf.forget();
    this.#forget();
    this.#enter(words.door_left);
  }

  #forget() {
    this.menu.close();
    this.people.clear();
    this.rooms.clear();
    this.#showList();
    this.outbox.close();
    this.shelf.close();
    history.replaceState(null, "");
  }

  #screen(name) {
    document.body.dataset.screen = name;
    byId("door").hidden = name !== "door";
    byId("house").hidden = name !== "house";
  }

  // The link

  #state({ state, reason, via }) {
    const status = byId("link");
    status.dataset.state = state;
    byId("link-text").textContent = words[`state_${via || state}`] ?? words.state_stopped;
    byId("refusal").hidden = state !== "refused";
    if (!this.people.me && state === "waiting") say(words.door_waiting);
    if (state !== "refused") return;
    if (reason === "signed_out") {
      // A browser that was never inside is not told that something ended.
      const told = localStorage.getItem(INSIDE) || this.people.me ? words.refused_signed_out : "";
      localStorage.removeItem(INSIDE);
      this.shelf.forget();
      this.#forget();
      this.#enter(told);
      return;
    }
    if (!this.people.me) say(words[`refused_${reason}`], "", () => location.reload());
    byId("refusal-text").textContent = words[`refused_${reason}`];
    byId("link-act").textContent = reason === "fault" ? words.page_reload : words.connect_again;
    byId("link-act").dataset.reason = reason;
  }

  #mend() {
    if (byId("link-act").dataset.reason === "fault") location.reload();
    else this.client.start();
  }

  async #live({ account, stale }) {
    // Somebody else came in by another tab: nothing of the one before may stay in sight.
    if (this.people.me && this.people.me.id !== account.id) return location.reload();
    if (this.people.me?.id !== account.id) {
      this.people.me = account;
      this.people.put(account);
      this.shelf.open(account.id);
      this.outbox.open(account.id);
      byId("me").textContent = words.you_are(account.name);
      byId("leave").hidden = !demoKey();
      localStorage.setItem(INSIDE, "yes");
      this.#screen("house");
    }
    const missed = this.room && stale.has(`room:${this.room}`);
    await this.rooms.load();
    this.#arrived();
    if (missed) await this.talk.reload();
    this.talk.woken();
  }

  /** The room that an invite led to. */
  #arrived() {
    const room = recall(OPEN);
    forget(OPEN);
    if (room && this.rooms.get(room)) this.go(room);
  }

  // What happens

  #event(frame) {
    this.menu.apply(frame);
    if (frame.ch === `room:${this.room}`) this.talk.apply(frame);
    this.rooms.apply(frame);
    if (frame.ev === "room.updated") this.talk.head();
  }

  #reload(ch) {
    this.rooms.load();
    if (ch === `room:${this.room}`) this.talk.reload();
  }

  #roomsChanged() {
    this.list.render();
    this.talk.head();
    const gone = this.room && this.rooms.loaded && !this.rooms.get(this.room);
    if (gone) this.#showList();
  }

  #render() {
    this.list.render();
    this.talk.render();
  }

  /** Accept or decline what waits. */
  async answer(op, room) {
    try {
      const card = await this.client.call(op, { room });
      await this.rooms.load();
      if (op === "room.decline") return;
      this.rooms.put(card);
      this.go(room);
    } catch (error) {
      this.notice(wordsOf(error.code));
    }
  }

  /** A room's name as this person sees it. */
  titleOf(card) {
    return card.kind === "group" ? card.title : (card.peer?.gone ? words.gone_person : (card.peer?.name ?? words.room_nobody));
  }

  /** A short word on what went wrong. */
  notice(text, ms = NOTICE_MS) {
    byId("notice").textContent = text;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (byId("notice").textContent = ""), ms);
  }

  // Where one is

  /** Open a room; the browser's way back leads to the list. */
  go(room) {
    if (history.state?.room) history.replaceState({ room }, "");
    else history.pushState({ room }, "");
    this.#show(room);
  }

  #show(room) {
    const card = this.rooms.get(room);
    if (!card) {
      this.#showList();
      return;
    }
    document.body.dataset.view = "talk";
    if (room === this.room) return;
    this.talk.open(card);
    this.list.render();
    if (!card.people) this.rooms.refresh(room);
  }

  #showList() {
    document.body.dataset.view = "rooms";
    this.talk.close();
    this.list.render();
  }
}

fillWords(document, words);
history.replaceState(null, "");
new Page().begin();
