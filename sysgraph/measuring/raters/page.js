"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const all = data.comparisons;
const byId = (id) => document.getElementById(id);
const store = `sysgraph ${data.collection}`;
const legal = ["left", "right", "neither"];
let kept = true;

/* Answers by place: they outlive the tab, where the browser lets a page from disk keep anything. */
const answers = read();
let at = all.findIndex((one) => !(key(one) in answers));
if (at < 0) at = all.length;

function key(one) {
  return `${one.input}:${one.left}:${one.right}`;
}

function read() {
  const found = {};
  try {
    const stored = JSON.parse(localStorage.getItem(store) || "{}");
    for (const one of all) if (legal.includes(stored[key(one)])) found[key(one)] = stored[key(one)];
  } catch {
    kept = false;
  }
  return found;
}

function keep() {
  try {
    localStorage.setItem(store, JSON.stringify(answers));
  } catch {
    kept = false;
  }
}

function part(name, value) {
  const head = document.createElement("h2");
  head.textContent = name;
  return [head, value];
}

function text(value) {
  const shown = document.createElement("pre");
  shown.textContent = value;
  return shown;
}

function image(digest, name) {
  const shown = document.createElement("img");
  shown.src = data.images[digest];
  shown.alt = name;
  return shown;
}

function asked(value, name) {
  return typeof value === "string" ? text(value) : image(value.image, name);
}

function side(outputs) {
  if (!outputs.length) return [text("(no output)")];
  return outputs.flatMap((one) =>
    part(one.name, "image" in one ? image(one.image, one.name) : text(one.text)));
}

function show() {
  const one = all[at];
  const done = all.filter((each) => key(each) in answers).length;
  byId("progress").max = Math.max(all.length, 1);
  byId("progress").value = done;
  byId("count").textContent = `${done} of ${all.length}`;
  byId("inputs").replaceChildren(
    ...(one ? Object.entries(one.inputs).flatMap(([name, value]) => part(name, asked(value, name))) : []));
  byId("left").replaceChildren(...(one ? side(one.sides[0]) : []));
  byId("right").replaceChildren(...(one ? side(one.sides[1]) : []));
  const given = one && answers[key(one)];
  for (const id of legal) byId(id).setAttribute("aria-pressed", String(given === id));
  for (const id of ["left", "right", "choose-left", "choose-right", "neither", "skip"])
    byId(id).disabled = !one;
  byId("inputs").hidden = byId("sides").hidden = !one;
  byId("back").disabled = at === 0;
  const left = all.length - done;
  const end = left ? `This was the last one; ${left} left out.` : "All are answered.";
  const lost = kept ? "" : "This browser keeps nothing for pages from disk: download before you close it. ";
  byId("note").textContent = lost + (one ? "" : `${end} Download the answers, and give the file to sysgraph collect --answers.`);
  byId("note").hidden = !byId("note").textContent;
}

function go(step) {
  at = Math.min(Math.max(at + step, 0), all.length);
  show();
  scrollTo(0, 0);
}

function answer(better) {
  if (!all[at]) return;
  answers[key(all[at])] = better;
  keep();
  go(1);
}

function download() {
  const given = all.map((one) => (
    { input: one.input, left: one.left, right: one.right, better: answers[key(one)] ?? null }));
  const content = JSON.stringify({ collection: data.collection, answers: given }) + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  link.download = "answers.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const keys = {
  ArrowLeft: () => answer("left"),
  ArrowRight: () => answer("right"),
  ArrowDown: () => answer("neither"),
  ArrowUp: () => go(-1),
  s: () => go(1),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (!(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});
for (const id of ["left", "right"]) {
  byId(id).addEventListener("click", () => answer(id));
  byId(`choose-${id}`).addEventListener("click", () => answer(id));
}
byId("neither").addEventListener("click", () => answer("neither"));
byId("back").addEventListener("click", () => go(-1));
byId("skip").addEventListener("click", () => go(1));
byId("download").addEventListener("click", download);
show();
