"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

// --- lists, a page at a time ---

function paged(list) {
  const parts = [...list.children];
  const size = data.page;
  if (parts.length <= size) return;
  const bar = document.createElement("div");
  bar.className = "pager";
  const [back, on] = ["Previous", "Next"].map((name) => {
    const button = bar.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = name;
    return button;
  });
  const said = document.createElement("span");
  said.setAttribute("aria-live", "polite");
  bar.insertBefore(said, on);
  let first = 0;
  const show = (start) => {
    first = start;
    parts.forEach((part, i) => { part.hidden = i < first || i >= first + size; });
    said.textContent = `${first + 1} to ${Math.min(first + size, parts.length)} of ${parts.length}`;
    back.disabled = first === 0;
    on.disabled = first + size >= parts.length;
  };
  back.addEventListener("click", () => show(Math.max(0, first - size)));
  on.addEventListener("click", () => show(first + size));
  window.addEventListener("beforeprint", () => parts.forEach((part) => { part.hidden = false; }));
  window.addEventListener("afterprint", () => show(first));
  list.before(bar);
  show(0);
}
document.querySelectorAll(".paged").forEach(paged);

// --- the graph, over time ---

const slider = byId("when");
if (slider) {
  const moments = data.moments;
  const boxes = data.boxes.map((id) => {
    const node = byId("sg-" + id);
    const shapes = [...node.querySelectorAll(".sg-box")];
    const box = shapes[shapes.length - 1];
    const tag = document.createElementNS("http://www.w3.org/2000/svg", "text");
    const frame = box.getBBox();
    tag.setAttribute("class", "tag");
    tag.setAttribute("x", frame.x + frame.width + 2);
    tag.setAttribute("y", frame.y - 5);
    tag.setAttribute("text-anchor", "end");
    node.append(tag);
    return { node, box, tag, title: node.querySelector("title").textContent };
  });
  const all = (name) => moments.flatMap((m) => m[name].filter((v) => v !== null).map(Math.abs));
  const most = Math.max(1e-9, ...all("credit"));
  const farthest = Math.max(1e-9, ...all("moved"));
  const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3);

  const show = () => {
    const moment = moments[slider.value];
    const total = moment.credit.reduce((sum, value) => sum + (value ?? 0), 0);
    boxes.forEach(({ node, box, tag, title }, i) => {
      const credit = moment.credit[i];
      const moved = moment.moved[i];
      const part = credit === null ? 0 : Math.round((45 * Math.abs(credit)) / most);
      box.style.fill = credit === null ? "" : `color-mix(in srgb, var(--${credit < 0 ? "loss" : "gain"}) ${part}%, var(--paper))`;
      box.style.strokeWidth = moved === null ? "" : (1.5 + 5 * Math.sqrt(moved / farthest)).toFixed(2) + "px";
      tag.textContent = credit === null ? "" : signed(credit);
      const words = credit === null ? "" : `: credit ${signed(credit)}` + (moved === null ? "" : `, moved ${moved.toFixed(3)} nats`);
      node.querySelector("title").textContent = title + words;
    });
    slider.setAttribute("aria-valuetext", moment.label);
    byId("moment").textContent = `${moment.label}: margin ${signed(total)}`;
  };
  slider.addEventListener("input", show);
  let playing = null;
  const play = byId("play");
  const stop = () => { clearInterval(playing); playing = null; play.textContent = "Play"; };
  play.addEventListener("click", () => {
    if (playing) return stop();
    if (Number(slider.value) === moments.length - 1) slider.value = 0;
    play.textContent = "Stop";
    show();
    playing = setInterval(() => {
      if (Number(slider.value) >= moments.length - 1) return stop();
      slider.value = Number(slider.value) + 1;
      show();
    }, Math.max(60, 4000 / moments.length));
  });
  show();
}
