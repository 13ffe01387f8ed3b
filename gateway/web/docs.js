// Draws /docs from /openapi.json and /asyncapi.json. Everything is put in as text, never as markup.

const ID_PATTERN = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$";
const ID_MAX = 2 ** 53 - 1;

/** An element with attributes and children; strings become text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Text with `words` in code font. */
function prose(text) {
  return (text ?? "").split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

const number = (value) => (value === ID_MAX ? "2⁵³−1" : value.toLocaleString("en"));

function span(schema, low, high, unit) {
  const least = schema[low];
  const most = schema[high];
  if (least === undefined && most === undefined) return "";
  let bounds;
  if (least === undefined || least === most) bounds = (least === undefined ? "≤ " : "") + number(most);
  else bounds = most === undefined ? `≥ ${number(least)}` : `${number(least)}–${number(most)}`;
  return unit ? `, ${bounds} ${unit}` : ` ${bounds}`;
}

/** A JSON Schema in a few words; names of shapes become links. */
function kind(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return [make("a", { href: `#shape-${name}` }, name)];
  }
  if (schema.allOf) return kind(schema.allOf[0]);
  if (schema.anyOf) return schema.anyOf.flatMap((each, index) => (index ? [" or ", ...kind(each)] : kind(each)));
  if (Array.isArray(schema.type)) return [schema.type.join(" or ") + span(schema, "minimum", "maximum", "")];
  if (schema.enum) return [`one of ${schema.enum.join(", ")}`];
  if (schema.type === "array") return ["list of ", ...kind(schema.items), span(schema, "minItems", "maxItems", "items")];
  if (schema.type === "object") {
    const inner = schema.additionalProperties;
    const values = inner && inner !== true ? ["map from string to ", ...kind(inner)] : ["object"];
    return [...values, span(schema, "minProperties", "maxProperties", "entries")];
  }
  if (schema.pattern === ID_PATTERN) return ["id"];
  if (schema.type === "string") return [`string${span(schema, "minLength", "maxLength", "characters")}`];
  if (schema.type === "integer") return [`integer${span(schema, "minimum", "maximum", "")}`];
  return [schema.type ?? "any"];
}

function note(schema) {
  for (const each of [schema, ...(schema.anyOf ?? [])]) {
    if (each.description && each.pattern !== ID_PATTERN) return each.description;
  }
  return "";
}

function table(caption, head, rows) {
  const cells = (name, row) => row.map((cell) => make(name, name === "th" ? { scope: "col" } : {}, ...[cell].flat()));
  const body = rows.map((row) => make("tr", {}, ...cells("td", row)));
  const drawn = make("table", {}, make("thead", {}, make("tr", {}, ...cells("th", head))), make("tbody", {}, ...body));
  if (caption) drawn.prepend(make("caption", {}, caption));
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption || head.join(", ") }, drawn);
}

/** The fields of an object; requests also say what is required. */
function fields(caption, schema, isRequest) {
  const entries = Object.entries(schema.properties ?? {});
  if (!entries.length) return make("p", { class: "about" }, `${caption}: no fields.`);
  const noted = entries.some(([, each]) => note(each));
  const rows = entries.map(([name, each]) => {
    const needed = (schema.required ?? []).includes(name);
    const fallback = each.default === undefined || each.default === null ? "" : `; else ${JSON.stringify(each.default)}`;
    const must = needed ? make("span", { class: "must" }, "yes") : `no${fallback}`;
    const row = [make("code", {}, name), kind(each)];
    return [...row, ...(isRequest ? [must] : []), ...(noted ? [prose(note(each))] : [])];
  });
  return table(caption, ["Field", "Type", ...(isRequest ? ["Required"] : []), ...(noted ? ["Note"] : [])], rows);
}

function named(schema, schemas) {
  return schemas[schema.$ref.split("/").pop()];
}

function tags(words) {
  return make("ul", { class: "tags" }, ...words.filter(Boolean).map((word) => make("li", {}, word)));
}

/** One thing that can be opened and found. */
function entry(id, title, about, ...body) {
  const summary = make("summary", {}, make("code", {}, title), " ", make("span", { class: "about" }, ...prose(about)));
  return make("details", { id, class: "entry" }, summary, make("div", { class: "body" }, ...body));
}

function section(id, title, about, ...children) {
  return make("section", { id, "aria-label": title }, make("h2", {}, title), make("p", {}, ...prose(about)), ...children);
}

/** Operations of both documents by name: the doors differ, the operation is one. */
function operations(http, socket) {
  const found = new Map();
  for (const [name, each] of Object.entries(socket.operations)) {
    if (each.action !== "receive") continue;
    const request = socket.components.messages[name].payload.properties.d;
    const result = socket.components.messages[`${name}.ok`].payload.properties.ok;
    found.set(name, { name, each, noun: each.tags[0].name, request, result });
  }
  for (const [path, { post }] of Object.entries(http.paths)) {
    // What is no operation stands in the plain list.
    if (!path.startsWith("/api/v1/")) continue;
    if (!post || found.has(post.operationId)) continue;
    const request = post.requestBody.content["application/json"].schema;
    const result = post.responses["200"].content["application/json"].schema.properties.ok;
    found.set(post.operationId, { name: post.operationId, each: post, noun: post.tags[0], request, result });
  }
  return [...found.values()];
}

function operation({ name, each, request, result }, schemas) {
  const asked = named(request, schemas);
  const given = named(result, schemas);
  const doors = each["x-doors"].map((door) => (door === "http" ? `POST /api/v1/${name}` : "socket"));
  const who = each["x-who"] === "anyone" ? "anyone" : "needs a session";
  const cost = `cost ${each["x-cost"]}`;
  return entry(
    `op-${name}`,
    name,
    each.summary,
    tags([...doors, who, cost, each["x-durable"] && "durable: ok follows the commit"]),
    make("p", {}, ...prose(asked.description)),
    fields("Request", asked, true),
    make("p", {}, "Result: ", ...kind(result), ". ", ...prose(given.description)),
    fields("Result", given, false),
    make("h4", {}, "Errors"),
    tags(each["x-errors"]),
  );
}

function operationSections(http, socket, schemas) {
  const nouns = Map.groupBy
    ? Map.groupBy(operations(http, socket), (each) => each.noun)
    : operations(http, socket).reduce((map, each) => map.set(each.noun, [...(map.get(each.noun) ?? []), each]), new Map());
  const about = new Map([...http.tags, ...socket.info.tags].map((tag) => [tag.name, tag.description]));
  const drawn = [...nouns].map(([noun, list]) =>
    make(
      "div",
      { class: "group" },
      make("h3", {}, noun),
      make("p", { class: "about" }, ...prose(about.get(noun))),
      ...list.map((each) => operation(each, schemas)),
    ),
  );
  return section("operations", "Operations", "What a client may ask for.", ...drawn);
}

function eventSection(socket, schemas) {
  const drawn = Object.entries(socket.components.messages)
    .filter(([name]) => name.startsWith("push."))
    .map(([name, message]) => {
      const body = [tags([message["x-kind"], message["x-channel"] && `channel: ${message["x-channel"]}`])];
      body.push(make("p", {}, ...prose(message.description)), fields("Frame", message.payload, false));
      const carried = message.payload.properties.d;
      if (carried) body.push(fields("d", named(carried, schemas), false));
      return entry(`event-${name.slice(5)}`, name.slice(5), message.summary, ...body);
    });
  return section("events", "Events", "What the server pushes.", ...drawn);
}

function shapeSection(schemas) {
  const drawn = Object.keys(schemas)
    .sort()
    .map((name) => {
      const schema = schemas[name];
      const values = schema.enum ? make("p", {}, ...kind(schema)) : fields("Fields", schema, true);
      return entry(`shape-${name}`, name, schema.description, values);
    });
  return section("shapes", "Shapes", "What requests, results and events are made of.", ...drawn);
}

function rowsSection(id, title, about, head, rows) {
  const drawn = table("", head, rows);
  for (const row of drawn.querySelectorAll("tbody tr")) row.classList.add("entry");
  return section(id, title, about, drawn);
}

const yes = (value) => (value ? make("span", { class: "yes" }, "yes") : "no");

function draw(http, socket) {
  const schemas = { ...http.components.schemas, ...socket.components.schemas };
  const code = (text) => make("code", {}, String(text));
  return [
    operationSections(http, socket, schemas),
    eventSection(socket, schemas),
    rowsSection(
      "errors",
      "Error codes",
      "A closed list. Temporary: the same request may succeed later.",
      ["Code", "HTTP status", "Temporary", "Meaning"],
      socket["x-error-codes"].map((row) => [code(row.code), String(row.status), yes(row.temporary), prose(row.meaning)]),
    ),
    rowsSection(
      "closes",
      "Close codes",
      "The range is the verdict: 4000–4099 change the client, 4400–4499 the person must act, 4500–4599 reconnect.",
      ["Code", "Reconnect by itself", "Meaning"],
      socket["x-close-codes"].map((row) => [code(row.code), yes(row.retry), prose(row.meaning)]),
    ),
    rowsSection(
      "limits",
      "Limits",
      "As they are set on this server.",
      ["Limit", "Value", "Meaning"],
      socket["x-limits"].map((row) => [code(row.name), number(row.value), prose(row.meaning)]),
    ),
    shapeSection(schemas),
  ];
}

/** Show what holds all words of the filter; the rest, and sections left empty, are hidden. */
function filter(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const each of document.querySelectorAll(".entry")) {
    const text = each.textContent.toLowerCase();
    each.hidden = !wanted.every((word) => text.includes(word));
    shown += each.hidden ? 0 : 1;
  }
  for (const each of document.querySelectorAll(".group, #sections > section")) {
    each.hidden = !each.querySelector(".entry:not([hidden])");
  }
  document.getElementById("found").textContent = wanted.length ? `${shown} found` : "";
}

/** Open what the address points at. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}

async function read(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function start() {
  const state = document.getElementById("state");
  try {
    const [http, socket] = await Promise.all([read("/openapi.json"), read("/asyncapi.json")]);
    const sections = draw(http, socket);
    document.getElementById("sections").append(...sections);
    document.getElementById("version").textContent = http.info.version;
    const links = sections.map((each) => make("li", {}, make("a", { href: `#${each.id}` }, each.getAttribute("aria-label"))));
    document.getElementById("contents").append(make("ul", {}, ...links));
    state.remove();
  } catch (error) {
    state.textContent = `The documents could not be read (${error.message}). Reload the page to try again.`;
    return;
  }
  const box = document.getElementById("filter");
  box.addEventListener("input", () => filter(box.value));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== box) {
      event.preventDefault();
      box.focus();
    } else if (event.key === "Escape" && document.activeElement === box) {
      box.value = "";
      filter("");
    }
  });
  addEventListener("hashchange", openTarget);
  if (location.hash) openTarget();
}

start();
