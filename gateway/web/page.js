// The page: puts its parts together and moves between the door, the rooms and a talk.

import { Client } from "./client.js";
import { Dialogs } from "./dialogs.js";
import { demoKey, knock, say } from "./door.js";
import { byId, fillWords } from "./dom.js";
import { Dots } from "./dots.js";
import { why } from "./forms.js";
import { Home } from "./home.js";
import { post } from "./http.js";
import { INSIDE, OPEN, forget, recall } from "./kept.js";
import { languageSwitch, onLanguage } from "./language.js";
import { Here } from "./here.js";
import { Later } from "./later.js";
import { LinkLine } from "./linkline.js";
import { Marks } from "./marks.js";
import { Menu } from "./menu.js";
import { Notifications } from "./notifications.js";
import { Outbox } from "./outbox.js";
import { OwnSign } from "./ownsign.js";
import { People } from "./people.js";
import { forgetPictures } from "./picker.js";
import { closePictures } from "./pictures.js";
import { PlaceNames } from "./placenames.js";
import { Places } from "./places.js";
import { PostActs } from "./postacts.js";
import { PostBook } from "./posts.js";
import { PostBox } from "./postbox.js";
import { PresenceBook } from "./presence.js";
import { RoomList } from "./roomlist.js";
import { RoomBook } from "./rooms.js";
import { Screen } from "./screen.js";
import { Shelf } from "./shelf.js";
import { TalkView } from "./talkview.js";
import { Ways } from "./ways.js";
import { words } from "./words.js";

const NOTICE_MS = 5_000;
const LONG_MS = 30_000;

class Page {
  #noticeTimer = 0;

  constructor() {
    this.client = new Client({ shown: () => document.visibilityState === "visible" });
    this.people = new People(this.client, () => this.#render());
    this.marks = new Marks(this.client, () => this.#marked());
    this.presence = new PresenceBook(() => this.client.now(), () => this.#presence());
    this.dots = new Dots(this);
    this.rooms = new RoomBook(this.client, this.people, () => this.#roomsChanged());
    this.shelf = new Shelf();
    this.outbox = new Outbox(this.client, {
      shelf: this.shelf,
      changed: (room) => room === this.room && this.talk.render(),
      sent: (line, sent) => this.talk.sent(line, sent),
    });
    this.book = new PostBook(this.client, this.people);
    this.postbox = new PostBox(this.client, { shelf: this.shelf, changed: () => this.#pending() });
    this.screen = new Screen(this.client);
    this.placeNames = new PlaceNames(this.client, () => {
      this.#posts((each) => each.render());
      this.dots.paint();
    });
    this.talk = new TalkView(this);
    this.list = new RoomList(this);
    this.dialogs = new Dialogs(this);
    this.#screens();
    this.acts = new PostActs(this);
    this.home = new Home(this);
    this.places = new Places(this);
    this.notifications = new Notifications(this, { openPost: (id) => this.openThread(id) });
    this.menu = new Menu(this);
    this.here = new Here(this);
    this.own = new OwnSign(this);
    this.ways = new Ways(this);
    this.link = new LinkLine(this.client);
    this.client.on("state", (state) => this.#state(state));
    this.client.on("live", (live) => this.#live(live));
    this.client.on("event", (frame) => this.#event(frame));
    this.client.on("reload", ({ ch }) => this.#reload(ch));
    this.client.on("busy", ({ ch }) => this.home.paused(ch));
    this.book.on((ids) => this.#touched(ids));
    this.#listen();
  }

  get room() {
    return this.talk.room;
  }

  /** What is fetched once somebody is inside. */
  #screens() {
    const later = (load) => new Later(load, () => this.notice(words.errors.offline));
    this.group = later(() => import("./group.js").then(({ GroupSheet }) => new GroupSheet(this)));
    this.settings = later(() => import("./settings.js").then(({ Settings }) => new Settings(this)));
    this.visibility = later(() => import("./visibility.js").then(({ Visibility }) => new Visibility(this)));
    this.profile = later(() => import("./profile.js").then(({ ProfileSheet }) => new ProfileSheet(this)));
    this.openProfile = (id) => this.profile.use((screen) => screen.open(id));
    this.thread = later(() => import("./thread.js").then(({ ThreadSheet }) => new ThreadSheet(this)));
    this.openThread = (id, how) => this.thread.use((screen) => screen.open(id, how));
    this.ties = later(() => import("./ties.js").then(({ Ties }) => new Ties(this)));
    this.contact = later(() => import("./contact.js").then(({ Contact }) => new Contact(this)));
  }

  /** The channel one looks at: a community above everything, else the open room. */
  get place() {
    const room = this.room && `room:${this.room}`;
    return this.places.channel ?? (room && this.client.hears(room) ? room : null);
  }

  #listen() {
    byId("new-button").addEventListener("click", () => this.dialogs.openNew());
    byId("people-button").addEventListener("click", () => this.#openPeople());
    byId("me").addEventListener("click", () => this.openProfile(this.people.me.id));
    byId("skip").addEventListener("click", () => this.talk.focus() || this.home.focus());
    byId("door-languages").replaceChildren(languageSwitch());
    onLanguage(() => this.#respoken());
    byId("leave").addEventListener("click", () => this.#leave());
    addEventListener("hashchange", () => this.#leave());
    addEventListener("online", () => this.client.online());
    for (const change of ["pageshow", "offline"]) addEventListener(change, () => this.client.nudge());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      this.client.nudge();
      // Whom one blocks on another device is told by no push.
      if (this.client.state === "live") this.marks.load();
      this.#render();
      this.talk.woken();
      this.home.woken();
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
    say("loading");
    this.client.start();
  }

  async #enter(told = "") {
    this.#screen("door");
    await knock(told);
    say("loading");
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
    this.#enter("door_left");
  }

  /** The account was deleted, and every session with it. */
  gone(text) {
    this.client.stop();
    localStorage.removeItem(INSIDE);
    this.shelf.forget();
    this.#forget();
    this.#enter();
    this.notice(text, LONG_MS);
  }

  #forget() {
    this.menu.close();
    this.people.clear();
    this.marks.clear();
    this.rooms.clear();
    this.presence.clear();
    this.#posts((each) => each.clear());
    this.screen.clear();
    this.placeNames.clear();
    this.book.clear();
    this.notifications.clear();
    this.ways.forget();
    this.talk.forget();
    forgetPictures();
    this.outbox.close();
    this.postbox.close();
    this.shelf.close();
  }

  #screen(name) {
    document.body.dataset.screen = name;
    byId("door").hidden = name !== "door";
    byId("house").hidden = name !== "house";
  }

  // The link

  #state({ state, reason, via }) {
    this.link.tell({ state, reason, via });
    if (!this.people.me && state === "waiting") say("door_waiting");
    if (state !== "refused") return;
    if (reason === "signed_out") {
      // A browser that was never inside is not told that something ended.
      const told = localStorage.getItem(INSIDE) || this.people.me ? "refused_signed_out" : "";
      localStorage.removeItem(INSIDE);
      this.shelf.forget();
      this.#forget();
      this.#enter(told);
      return;
    }
    if (!this.people.me) say(`refused_${reason}`, "", () => location.reload());
  }

  async #live({ account, stale }) {
    // Somebody else came in by another tab: nothing of the one before may stay in sight.
    if (this.people.me && this.people.me.id !== account.id) return location.reload();
    if (this.people.me?.id !== account.id) {
      this.people.me = account;
      this.people.put(account);
      this.shelf.open(account.id);
      this.outbox.open(account.id);
      this.postbox.open(account.id);
      this.#tellName();
      byId("leave").hidden = !demoKey();
      localStorage.setItem(INSIDE, "yes");
      this.#screen("house");
    }
    const missed = this.room && stale.has(`room:${this.room}`);
    await this.screen.live();
    // Gone again meanwhile: there is nobody to show anything to.
    if (this.people.me?.id !== account.id) return;
    this.home.live(stale);
    this.#posts((each) => each !== this.home && each.live());
    this.notifications.live();
    this.menu.live();
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
    if (this.presence.apply(frame)) return;
    this.menu.apply(frame);
    this.book.apply(frame);
    if (frame.ev === "post.deleted") closePictures(frame.d.post);
    this.#posts((each) => each.apply(frame));
    this.notifications.apply(frame);
    if (frame.ch === `room:${this.room}`) this.talk.apply(frame);
    if (frame.ev.startsWith("channel.")) import("./cheers.js").then(({ apply }) => apply(frame, this.places.channel ?? `room:${this.room}`), () => {});
    this.rooms.apply(frame);
    if (frame.ev === "room.updated") this.talk.head();
  }

  #reload(ch) {
    this.rooms.load();
    this.#posts((each) => each.reload(ch));
    if (ch === `room:${this.room}`) this.talk.reload();
  }

  /** Everything that shows posts. */
  #posts(tell) {
    for (const each of [this.home, this.places, this.thread.made, this.profile.made]) if (each) tell(each);
  }

  #touched(ids) {
    for (const post of ids.map((id) => this.book.get(id))) if (post) this.presence.wrote(post.author.id, post.at);
    this.#posts((each) => each.touched(ids));
  }

  /** Who is here, where, or who writes has changed. */
  #presence() {
    this.dots.paint();
    this.talk.present();
    this.places.crowd();
    this.own.paint();
  }

  #pending() {
    for (const each of [this.home, this.places, this.thread.made]) each?.pending();
  }

  #roomsChanged() {
    for (const { last } of this.rooms.list()) if (last && !last.system && !last.deleted) this.presence.wrote(last.author, last.at);
    this.list.render();
    this.talk.head();
    this.group.made?.changed();
    const gone = this.room && this.rooms.loaded && !this.rooms.get(this.room);
    if (gone) this.ways.base();
  }

  #render() {
    this.list.render();
    this.talk.render();
    this.#posts((each) => each.render());
    this.#presence();
  }

  /** Whom one blocks or mutes has changed, or who asks to follow. */
  #marked() {
    this.talk.head();
    this.#render();
    this.menu.badge();
    this.ties.made?.changed();
  }

  /** Another language: everything on the screen is said again. */
  #respoken() {
    fillWords(document, words);
    this.link.respoken();
    if (this.people.me) this.#tellName();
    this.list.render();
    this.talk.respoken();
    this.menu.badge();
    this.places.crowd();
    this.notifications.respoken();
  }

  /** One's own profile, as it is now. */
  renamed(profile) {
    this.people.met(profile);
    this.#tellName();
    this.#render();
  }

  #tellName() {
    const name = words.you_are(this.people.me.name);
    byId("me").textContent = name;
    byId("me").setAttribute("aria-label", `${words.profile_own}: ${name}`);
    this.own.draw();
  }

  /** The people of a group, or the other one of a DM. */
  #openPeople() {
    const card = this.rooms.get(this.room);
    if (card?.kind === "group") this.group.use((screen) => screen.open(card.id));
    else if (card?.peer && !card.peer.gone) this.openProfile(card.peer.id);
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
      this.notice(why(error));
    }
  }

  /** A room's name as this person sees it. */
  titleOf(card) {
    return card.kind === "group" ? card.title : (card.peer?.gone ? words.gone_person : (this.people.get(card.peer?.id)?.name ?? words.room_nobody));
  }

  /** A short word on what went wrong. */
  notice(text, ms = NOTICE_MS) {
    byId("notice").textContent = text;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (byId("notice").textContent = ""), ms);
  }

  /** Open a room. */
  go(room) {
    this.ways.go(room);
  }
}

fillWords(document, words);
new Page().begin();
