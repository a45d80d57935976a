"use strict";
const at = (id) => document.getElementById(id);
const form = at("ask");
let system = null;
let boxes = [];
let running = null;
let found = [];

function add(parent, tag, text, kind) {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

// --- what the server says ---

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (at("key").value) headers.Authorization = `Bearer ${at("key").value}`;
  const answer = await fetch(path, { ...options, headers });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => null);
  if (answer.status === 401) at("key-row").hidden = false;
  throw new Error(said?.error?.message ?? `the server answered with status ${answer.status}`);
}

function tell(problem) {
  at("problem").hidden = !problem;
  at("problem").textContent = problem ?? "";
}

async function open() {
  const models = await (await ask("v1/models")).json();
  const drawn = await (await ask("graph")).json();
  system = models.data[0];
  document.title = `${system.id} · sysgraph`;
  at("name").textContent = system.id;
  at("about").textContent = system.sysgraph.description;
  at("count").max = system.sysgraph.max_n;
  for (const input of system.sysgraph.inputs) {
    const row = add(at("inputs"), "div", undefined, "field");
    const label = add(row, "label", input.type === "messages" ? `${input.name} (messages, as JSON)` : input.name);
    const field = add(row, input.type === "image" ? "input" : "textarea");
    label.htmlFor = field.id = `input-${input.name}`;
    field.name = input.name;
    if (input.type === "image") Object.assign(field, { type: "file", accept: "image/png,image/jpeg,image/webp,image/gif,image/bmp" });
    if (input.type === "messages") field.placeholder = '[{"role": "user", "content": "..."}]';
  }
  draw(drawn);
  form.querySelector("textarea")?.focus();
}

// --- the graph: a box leads to the values of its nodes ---

function draw(drawn) {
  at("graph").replaceChildren(document.importNode(new DOMParser().parseFromString(drawn.svg, "image/svg+xml").documentElement, true));
  boxes = drawn.boxes.map((box) => ({ ...box, element: at(`sg-${box.id}`) }));
  for (const box of boxes) {
    box.element.setAttribute("tabindex", "0");
    box.element.setAttribute("role", "button");
    box.element.setAttribute("aria-label", `Value of ${box.title}`);
    box.element.addEventListener("click", () => show(box));
    box.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      show(box);
    });
  }
  at("graph").querySelector("svg").setAttribute("role", "group");
}

function show(box) {
  for (const other of boxes) other.element.classList.toggle("on", other === box);
  const value = box.nodes.map((name) => at(`value-${name}`) ?? at(`input-${name}`)).find(Boolean);
  if (value) value.focus();
  else at("status").textContent = `${box.title} has no value yet: run the system.`;
}

// --- values ---

// Characters that steer or reorder what is read are spelled out, as on a terminal.
const spelled = (value) => value.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

function text(parent, value) {
  if (typeof value === "string" && value.startsWith("data:image/png;base64,")) {
    const image = add(parent, "img");
    image.alt = "An image that the system drew";
    image.src = value;
  } else add(parent, "p", value === "" ? "(an empty text)" : spelled(value), value === "" ? "none" : "text");
}

function put(parent, value) {
  if (value === null || value === undefined) add(parent, "p", "did not run", "none");
  else if (Array.isArray(value)) {
    if (!value.length) return add(parent, "p", "(an empty list)", "none");
    const list = add(parent, "ol");
    for (const item of value) put(add(list, "li"), item);
  } else if (typeof value === "object") {
    const table = add(parent, "table");
    for (const [name, one] of Object.entries(value)) {
      const row = add(table, "tr");
      add(row, "th", name).scope = "row";
      put(add(row, "td"), one);
    }
  } else text(parent, value);
}

function list() {
  const values = found[Number(at("which").value) || 0];
  at("values-part").hidden = !values;
  const focused = document.activeElement?.id;
  at("values").replaceChildren();
  for (const box of boxes) {
    box.element.classList.toggle("there", !!values && box.nodes.some((name) => (values[name] ?? null) !== null));
  }
  if (!values) return;
  const outputs = new Set(system.sysgraph.nodes.filter((node) => node.output).map((node) => node.name));
  for (const [name, value] of Object.entries(values)) {
    add(at("values"), "dt", outputs.has(name) ? `${name} (output)` : name);
    const place = add(at("values"), "dd");
    place.id = `value-${name}`;
    place.tabIndex = -1;
    if (value === null && running) add(place, "p", "…", "none");
    else put(place, value);
    if (focused === place.id) place.focus();
  }
}

// --- a run ---

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

async function inputs() {
  const given = {};
  for (const input of system.sysgraph.inputs) {
    const field = at(`input-${input.name}`), said = field.value;
    if (input.type === "image") {
      if (!field.files.length) throw new Error(`${input.name}: choose the file of an image`);
      given[input.name] = await dataUrl(field.files[0]);
    } else if (input.type !== "messages") given[input.name] = said;
    else try { given[input.name] = JSON.parse(said); } catch { throw new Error(`${input.name}: this is no JSON`); }
  }
  return given;
}

async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the connection to the server broke");
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      if (part === "data: [DONE]") return;
      if (part.startsWith("data: ")) yield JSON.parse(part.slice(6));
    }
  }
}

function cards(count) {
  at("answers").replaceChildren();
  at("answers").hidden = false;
  at("which").replaceChildren();
  at("which-row").hidden = count === 1;
  return Array.from({ length: count }, (_, index) => {
    const card = add(at("answers"), "article");
    add(card, "h3", count === 1 ? "Answer" : `Answer ${index + 1}`);
    add(at("which"), "option", String(index + 1)).value = index;
    return { body: add(card, "div"), note: add(card, "p", undefined, "dim"), said: "" };
  });
}

function take(part, shown) {
  if (part.error) throw new Error(part.error.message);
  for (const choice of part.choices) {
    const card = shown[choice.index];
    card.said += choice.delta.content ?? "";
    if (choice.delta.refusal) card.note.textContent = choice.delta.refusal;
    if (choice.finish_reason === "length") card.note.textContent = "cut by the length limit";
    if (!card.said) continue;
    card.body.replaceChildren();
    text(card.body, card.said);
  }
  const own = part.sysgraph;
  if (!own) return;
  if (own.index !== undefined) found[own.index] = own.values;
  else {
    found = own.values;
    at("status").textContent = `Answered, with seed ${own.seed}.`;
    shown.forEach(unfold);
  }
  list();
}

// What is no text of its own is sent as JSON: lists, records, several outputs.
function unfold(card, index) {
  const outputs = system.sysgraph.nodes.filter((node) => node.output);
  if (!card.said || (outputs.length === 1 && typeof found[index][outputs[0].name] === "string")) return;
  let value;
  try { value = JSON.parse(card.said); } catch { return; }
  card.body.replaceChildren();
  put(card.body, value);
}

async function run() {
  const count = Number(at("count").value);
  const body = { model: system.id, messages: [], inputs: await inputs(), n: count, stream: true, sysgraph: { values: true } };
  if (at("seed").value !== "") body.seed = Number(at("seed").value);
  found = [];
  const shown = cards(count);
  list();
  const answer = await ask("v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: running.signal,
  });
  for await (const part of events(answer)) take(part, shown);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (running) return;
  running = new AbortController();
  tell(null);
  at("status").textContent = "Running …";
  at("run").disabled = true;
  at("stop").disabled = false;
  try {
    if (!system) await open();
    await run();
  } catch (error) {
    at("answers").hidden = found.length === 0;
    at("status").textContent = error.name === "AbortError" ? "Stopped." : "";
    if (error.name !== "AbortError") tell(error.message);
  }
  running = null;
  at("run").disabled = false;
  at("stop").disabled = true;
  if (system) list();
});
at("stop").addEventListener("click", () => running?.abort());
at("which").addEventListener("change", list);
open().catch((error) => tell(error.message));
