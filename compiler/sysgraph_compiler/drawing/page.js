"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("canvas");
const picture = canvas.querySelector("svg");
const detail = document.getElementById("detail");
const [, , wide, high] = picture.getAttribute("viewBox").split(" ").map(Number);
const boxes = data.boxes.map((box) => ({ ...box, element: document.getElementById("sg-" + box.id) }));
const nodes = new Map(data.nodes.map((node) => [node.name, node]));
const home = new Map(boxes.flatMap((box) => box.nodes.map((name) => [name, box])));
let view = { x: 0, y: 0, scale: 1 };
let open = null;
let fitted = true;

// --- pan and zoom ---

function show() {
  picture.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const scale = Math.min(8, Math.max(0.02, view.scale * factor));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  fitted = false;
  show();
}

function fit() {
  const scale = Math.min(1.5, canvas.clientWidth / wide, canvas.clientHeight / high);
  view = { x: (canvas.clientWidth - wide * scale) / 2, y: (canvas.clientHeight - high * scale) / 2, scale };
  fitted = true;
  show();
}

function reveal(element) {
  const box = element.getBoundingClientRect();
  const frame = canvas.getBoundingClientRect();
  const pad = 24;
  if (fitted) return;
  if (box.left < frame.left + pad) view.x += frame.left + pad - box.left;
  else if (box.right > frame.right - pad) view.x -= box.right - frame.right + pad;
  if (box.top < frame.top + pad) view.y += frame.top + pad - box.top;
  else if (box.bottom > frame.bottom - pad) view.y -= box.bottom - frame.bottom + pad;
  show();
}

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const frame = canvas.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - frame.left, event.clientY - frame.top);
}, { passive: false });

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  if (event.button === 0) drag = { x: event.clientX - view.x, y: event.clientY - view.y, from: [event.clientX, event.clientY], moved: false };
});
window.addEventListener("pointermove", (event) => {
  if (!drag) return;
  drag.moved ||= Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) > 4;
  if (!drag.moved) return;
  canvas.classList.add("dragging");
  fitted = false;
  view.x = event.clientX - drag.x;
  view.y = event.clientY - drag.y;
  show();
});
window.addEventListener("pointerup", () => {
  canvas.classList.remove("dragging");
  setTimeout(() => { drag = null; });
});

// --- details ---

function add(parent, tag, text) {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  return element;
}

function entry(list, name, text, tag = "dd") {
  if (text === null || text === undefined || text === "") return;
  add(list, "dt", name);
  if (tag === "dd") add(list, "dd", text);
  else add(add(list, "dd"), tag, text);
}

function describe(node, alone) {
  if (!alone) add(detail, "h2", node.name);
  const list = add(detail, "dl");
  entry(list, "kind", `${node.kind}, ${node.type}` + (node.output ? ", output" : ""));
  const models = [...new Set(node.copies.map((copy) => copy.model).filter(Boolean))];
  entry(list, models.length === 1 ? "model" : "models", models.map((name) => `${name}: ${data.models[name]}`).join("\n"), "pre");
  entry(list, "options", node.options.join(", "));
  entry(list, "runs where", node.gates.join("\n"), "pre");
  entry(list, "tool", node.tool, "pre");
  entry(list, "parser", node.parser, "pre");
  entry(list, "sampling", node.decoding, "pre");
  entry(list, "for each", node.each);
  entry(list, "loop", node.loop && `${node.loop}, ${node.turns} turns`);
  entry(list, "parents", node.parents.join(", "));
  entry(list, "prompt", node.prompt, "pre");
  for (const [role, content] of node.messages) entry(list, role, content, "pre");
  const terms = node.copies.map((copy) => copy.term).filter(Boolean);
  entry(list, terms.length === 1 ? "term" : "terms", terms.join("\n"), "pre");
}

function select(box) {
  for (const other of boxes) other.element.setAttribute("aria-expanded", String(other === box));
  for (const arrow of picture.querySelectorAll(".sg-arrow")) {
    arrow.classList.toggle("on", !!box && (arrow.dataset.from === box.id || arrow.dataset.to === box.id));
  }
  open = box;
  detail.hidden = !box;
  detail.replaceChildren();
  if (fitted) fit();
  if (!box) return;
  const header = add(detail, "header");
  add(header, "h1", box.title);
  const close = add(header, "button", "×");
  close.type = "button";
  close.setAttribute("aria-label", "Close details");
  close.addEventListener("click", shut);
  for (const name of box.nodes) describe(nodes.get(name), box.nodes.length === 1);
  detail.scrollTop = 0;
  reveal(box.element);
}

function shut() {
  const box = open;
  select(null);
  if (box) box.element.focus();
}

for (const box of boxes) {
  box.element.setAttribute("tabindex", "0");
  box.element.setAttribute("role", "button");
  box.element.setAttribute("aria-expanded", "false");
  box.element.setAttribute("aria-label", box.label);
  box.element.addEventListener("click", () => { if (!drag || !drag.moved) select(box); });
  box.element.addEventListener("focus", () => { if (box.element.matches(":focus-visible")) reveal(box.element); });
}
picture.setAttribute("role", "group");

// --- keyboard ---

const directions = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

function centre(box) {
  const frame = box.element.querySelector(".sg-box").getBoundingClientRect();
  return [(frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2];
}

function move([dx, dy]) {
  const current = boxes.find((box) => box.element === document.activeElement);
  if (!current) return boxes[0].element.focus();
  const [x, y] = centre(current);
  let best = null;
  let least = Infinity;
  for (const box of boxes) {
    const [bx, by] = centre(box);
    const along = (bx - x) * dx + (by - y) * dy;
    const across = Math.abs((bx - x) * dy) + Math.abs((by - y) * dx);
    if (along > 1 && along + 2 * across < least) [best, least] = [box, along + 2 * across];
  }
  if (best) best.element.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || detail.contains(event.target) && event.key !== "Escape") return;
  const current = boxes.find((box) => box.element === event.target);
  if (event.key in directions && event.shiftKey) {
    view.x -= 80 * directions[event.key][0];
    view.y -= 80 * directions[event.key][1];
    fitted = false;
    show();
  } else if (event.key in directions) move(directions[event.key]);
  else if ((event.key === "Enter" || event.key === " ") && current) select(current);
  else if (event.key === "Escape" && open) shut();
  else if (event.key === "+" || event.key === "=") zoom(1.25);
  else if (event.key === "-") zoom(0.8);
  else if (event.key === "0") fit();
  else return;
  event.preventDefault();
});

document.getElementById("zoom-in").addEventListener("click", () => zoom(1.25));
document.getElementById("zoom-out").addEventListener("click", () => zoom(0.8));
document.getElementById("fit").addEventListener("click", fit);
window.addEventListener("resize", () => { if (fitted) fit(); });
fit();
