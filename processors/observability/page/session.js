"use strict";
const facts = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

// --- words ---

function clock(seconds, digits = 0) {
  const shown = Number(seconds.toFixed(digits));  // before it is cut: 59.96 is 1:00.0
  const whole = Math.floor(shown), rest = (shown - whole).toFixed(digits).slice(1);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (parts[0] ? parts : parts.slice(1)).map((n, i) => (i ? String(n).padStart(2, "0") : n)).join(":") + rest;
}
const ms = (value) => value >= 10000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`;
function make(tag, text = "", kind = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  if (kind) node.className = kind;
  return node;
}
const last = (rows, field) => rows.reduce((most, row) => Math.max(most, row[field] ?? 0), 0);

const peaks = (text) => Int8Array.from(atob(text), (c) => c.charCodeAt(0));
const waves = facts.sound && {user: peaks(facts.sound.user), model: peaks(facts.sound.model)};
const length = Math.max(1, facts.seconds, waves ? waves.user.length / 2 / facts.sound.columns : 0,
  last(facts.words, "end"), last(facts.turns, "end"));

// --- what it amounts to ---

const PARTS = {"response.detection": "hearing that speech has ended",
  "response.service": "the service", "response.first_sound": "until its first sound",
  "response.playout": "until it is heard"};
const SHADES = {"response.detection": "user", "response.service": "model",
  "response.first_sound": "tool", "response.playout": "wait"};

function tiles() {
  const waits = facts.measurements.find((row) => row.name === "response");
  const cut = facts.turns.filter((row) => row.interrupted).length;
  const tokens = Object.values(facts.tokens).reduce((sum, n) => sum + n, 0);
  const dropped = facts.drops.reduce((sum, row) => sum + row.frames, 0);
  const shown = [["length", clock(facts.seconds)], ["turns", facts.turns.length],
    ["interrupted", cut]];
  if (waits) shown.push(["wait, median", ms(waits.p50)], ["wait, p95", ms(waits.p95)]);
  if (tokens) shown.push(["tokens", tokens.toLocaleString("en")]);
  if (facts.calls.length) shown.push(["calls", facts.calls.length]);
  shown.push(["frames dropped", dropped.toLocaleString("en")]);
  for (const [name, value] of shown) {
    const tile = make("div");
    tile.append(make("dt", name), make("dd", value));
    $("tiles").append(tile);
  }
  const begun = new Date(facts.begun);
  $("when").textContent = begun.toLocaleString([], {dateStyle: "long", timeStyle: "medium"}) +
    (facts.failure ? ", failed" : facts.completed ? "" : ", cut short") +
    (facts.left_out ? `; ${facts.left_out} rows are left out` : "");
  $("failure").hidden = !facts.failure;
  $("failure").textContent = facts.failure ?? "";
}

function table(id, heads, rows, empty) {
  if (!rows.length) {
    $(id).replaceWith(make("p", empty, "quiet"));
    return;
  }
  const fill = (cells, tag) => {
    const line = make("tr");
    cells.forEach((cell, n) => line.append(make(tag, cell, heads[n][1] ? "number" : "")));
    $(id).append(line);
  };
  fill(heads.map((head) => head[0]), "th");
  rows.forEach((row) => fill(row, "td"));
}

function tables() {
  table("measurements", [["what"], ["times", 1], ["median", 1], ["p95", 1]],
    facts.measurements.map((row) => [row.name, row.times, ms(row.p50), ms(row.p95)]), "Nothing.");
  table("drops", [["at"], ["why"], ["frames", 1]],
    facts.drops.map((row) => [row.node, row.reason, row.frames.toLocaleString("en")]), "Nothing.");
  table("edges", [["from"], ["to"], ["frames", 1]],
    facts.edges.map((row) => [row.from, row.to, row.frames.toLocaleString("en")]), "None.");
  facts.files.forEach((file) => $("files").append(make("li", file)));
  if (!facts.files.length) $("files").replaceWith(make("p", "None."));
}

function waits() {
  const rows = facts.turns.filter((row) => Object.keys(row.wait).length);
  const sum = (row) => Object.keys(PARTS).reduce((all, part) => all + (row.wait[part] ?? 0), 0);
  const whole = (row) => row.wait.response ?? sum(row);
  const most = Math.max(...rows.map((row) => Math.max(whole(row), sum(row))));
  $("waits").hidden = !rows.length;
  for (const [part, name] of Object.entries(PARTS)) {
    if (!rows.some((row) => part in row.wait)) continue;
    const entry = make("span"), patch = make("i");
    patch.style.background = `var(--${SHADES[part]})`;
    entry.append(patch, name);
    $("legend").append(entry);
  }
  for (const row of rows) {
    const line = make("div", "", "bar"), bar = make("div");
    const named = Object.keys(PARTS).filter((part) => part in row.wait);
    for (const part of named.length ? named : ["response"]) {
      const piece = make("i");
      piece.style.background = `var(--${SHADES[part] ?? "wait"})`;
      piece.style.width = `${100 * row.wait[part] / most}%`;
      piece.title = `${PARTS[part] ?? "wait"}: ${ms(1000 * row.wait[part])}`;
      bar.append(piece);
    }
    line.append(make("span", `turn ${row.turn}`), bar, make("span", ms(1000 * whole(row))));
    $("bars").append(line);
  }
}

// --- the conversation ---

const lines = [];
function conversation() {
  const rows = [
    ...facts.words.map((row) => [row.at, row.speaker, row.speaker,
      row.text + (row.interrupted ? " …" : "")]),
    ...facts.calls.map((row) => [row.at, "call", "tool", `${row.name}(${row.arguments})` +
      (row.response === null ? ` — ${row.state}` : ` → ${row.response}`)]),
    ...facts.events.map((row) => [row.at, row.kind,
      ["interrupted", "gap", "dropped", "held up"].includes(row.kind) ? "bad quiet" : "quiet", row.text]),
  ].sort((a, b) => a[0] - b[0]);
  for (const [at, who, kind, text] of rows) {
    const line = make("li", "", kind);
    line.append(make("time", clock(at, 1)), make("b", who), make("span", text));
    line.addEventListener("click", () => seek(at, true));
    lines.push([at, line]);
    $("rows").append(line);
  }
  if (!rows.length) $("rows").append(make("li", "Nothing was said."));
}

// --- the timeline ---

const LEFT = 54;
const LANES = {ruler: [0, 22], user: [24, 78], speech: [104, 10], model: [118, 78],
  turns: [204, 24], tools: [236, 24], events: [268, 24]};
const canvas = $("lanes"), pen = canvas.getContext("2d");
let view = [0, length], hits = [], position = 0, drawn = false;

function draw() {
  drawn = false;
  const scale = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * scale;
  canvas.height = height * scale;
  pen.scale(scale, scale);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const [from, to] = view, wide = width - LEFT;
  const x = (at) => LEFT + (at - from) / (to - from) * wide;
  const shades = Object.fromEntries(
    ["ink", "faint", "line", "user", "model", "bad", "tool", "wait", "back", "card"]
      .map((name) => [name, colour(name)]));
  hits = [];
  ruler(x, width, shades);
  for (const [lane, [top, high]] of Object.entries(LANES)) {
    if (lane === "ruler") continue;
    pen.fillStyle = shades.back;
    pen.fillRect(LEFT, top, wide, high);
  }
  pen.save();
  pen.beginPath();
  pen.rect(LEFT, 0, wide, height);
  pen.clip();
  if (waves) {
    wave("user", shades.user, x);
    wave("model", shades.model, x);
  }
  for (const row of facts.speech)
    bar("speech", row.at, row.end ?? length, shades.user, "the user speaks", x, shades);
  for (const row of facts.turns) turn(row, x, shades);
  for (const row of facts.calls)
    bar("tools", row.at, row.end ?? length, row.state === "answered" ? shades.tool : shades.bad,
      `${row.name}(${row.arguments})\n${row.response ?? row.state}`, x, shades, row.name);
  for (const row of facts.events) {
    const bad = ["interrupted", "gap", "dropped", "held up"].includes(row.kind);
    const [top, high] = LANES.events, at = x(row.at);
    pen.fillStyle = bad ? shades.bad : shades.faint;
    pen.beginPath();
    pen.arc(at, top + high / 2, 5, 0, 7);
    pen.fill();
    hits.push([at - 7, at + 7, top, top + high, `${row.kind}: ${row.text}`]);
  }
  const now = x(position);
  pen.fillStyle = shades.bad;
  pen.fillRect(now - 1, 0, 2, LANES.events[0] + LANES.events[1]);
  pen.restore();
  pen.fillStyle = shades.faint;
  pen.textAlign = "left";
  for (const [lane, [top, high]] of Object.entries(LANES))
    if (lane !== "ruler" && lane !== "speech") pen.fillText(lane, 0, top + high / 2);
  const all = to - from >= length - 1e-6;
  $("scroll").hidden = all;
  if (!all) $("scroll").value = 1000 * from / (length - (to - from));
}

function ruler(x, width, shades) {
  const [from, to] = view;
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]
    .find((s) => s * (width - LEFT) / (to - from) > 64) ?? 7200;
  pen.textAlign = "center";
  for (let n = Math.ceil(from / step); n * step <= to; n++) {
    const at = x(n * step);
    pen.fillStyle = shades.line;
    pen.fillRect(at, 18, 1, LANES.events[0] + LANES.events[1] - 18);
    pen.fillStyle = shades.faint;
    if (at > LEFT + 14 && at < width - 16) pen.fillText(clock(n * step, step < 1 ? 1 : 0), at, 9);
  }
}

function wave(side, shade, x) {
  const data = waves[side], each = 1 / facts.sound.columns, [top, high] = LANES[side];
  const middle = top + high / 2, count = data.length / 2;
  let loudest = 12;
  for (const value of data) loudest = Math.max(loudest, Math.abs(value));
  const tall = high / 2 / loudest * 0.95;
  const first = Math.max(0, Math.floor(view[0] / each));
  const end = Math.min(count, Math.ceil(view[1] / each) + 1);
  const together = Math.max(1, Math.floor((end - first) / (canvas.clientWidth - LEFT)));
  pen.fillStyle = shade;
  for (let n = first - first % together; n < end; n += together) {
    let low = 0, up = 0;
    for (let m = n; m < Math.min(n + together, count); m++) {
      low = Math.min(low, data[2 * m]);
      up = Math.max(up, data[2 * m + 1]);
    }
    const left = x(n * each), right = x((n + together) * each);
    pen.fillRect(left, middle - up * tall - 0.5, Math.max(0.8, right - left - 0.3),
      (up - low) * tall + 1);
  }
}

function bar(lane, at, end, shade, text, x, shades, label = "") {
  const [top, high] = LANES[lane], left = x(at), wide = Math.max(3, x(end) - left);
  pen.fillStyle = shade;
  pen.beginPath();
  pen.roundRect(left, top, wide, high, 4);
  pen.fill();
  hits.push([left, left + wide, top, top + high, `${clock(at, 1)} to ${clock(end, 1)}: ${text}`]);
  if (label && wide > 20) {
    pen.save();
    pen.beginPath();
    pen.rect(left, top, wide - 4, high);
    pen.clip();
    pen.fillStyle = shades.card;
    pen.textAlign = "left";
    pen.fillText(label, Math.max(left, LEFT) + 6, top + high / 2);
    pen.restore();
  }
}

function turn(row, x, shades) {
  const [top, high] = LANES.turns;
  const begin = row.heard ? row.heard[0] : row.at;
  const end = row.heard ? row.heard[1] : row.end ?? length;
  const wait = row.wait.response ?? (row.asked === null ? null : begin - row.asked);
  const text = `turn ${row.turn}` + (wait === null ? "" : `, after ${ms(1000 * wait)}`) +
    (row.interrupted ? ", interrupted" : "");
  if (row.asked !== null && begin > row.asked) {
    const left = x(row.asked), right = x(begin);
    pen.fillStyle = shades.wait;
    pen.fillRect(left, top + high / 2 - 2, right - left, 4);
    hits.push([left, right, top, top + high, `the wait for turn ${row.turn}: ` +
      ms(1000 * (begin - row.asked))]);
  }
  bar("turns", begin, Math.max(begin, end), shades.model, text, x, shades,
    row.wait.response ? `${row.turn}  ${ms(1000 * row.wait.response)}` : String(row.turn));
  if (row.interrupted) {
    pen.fillStyle = shades.bad;
    pen.fillRect(x(end) - 2, top - 2, 4, high + 4);
  }
}

function redraw() {
  if (!drawn) requestAnimationFrame(draw);
  drawn = true;
}
function look(from, span) {
  span = Math.min(length, Math.max(0.5, span));
  from = Math.min(Math.max(0, from), length - span);
  view = [from, from + span];
  redraw();
}
function zoom(factor, at = (view[0] + view[1]) / 2) {
  const span = Math.min(length, Math.max(0.5, (view[1] - view[0]) * factor));
  look(at - (at - view[0]) / (view[1] - view[0]) * span, span);
}
const timeAt = (event) => {
  const box = canvas.getBoundingClientRect();
  const part = (event.clientX - box.left - LEFT) / (box.width - LEFT);
  return view[0] + Math.min(1, Math.max(0, part)) * (view[1] - view[0]);
};

// --- the sound ---

const audio = new Audio();
let gains = null;
if (facts.sound) {
  const bytes = Uint8Array.from(atob(facts.sound.data), (c) => c.charCodeAt(0));
  audio.src = URL.createObjectURL(new Blob([bytes], {type: facts.sound.type}));
  audio.preload = "auto";
} else {
  ["play", "hear-user", "hear-model"].forEach((id) => { $(id).disabled = true; });
}
function mixer() {  // made when first played: browsers want a gesture before
  const context = new AudioContext();
  const split = context.createChannelSplitter(2), out = context.createGain();
  context.createMediaElementSource(audio).connect(split);
  gains = {};
  ["user", "model"].forEach((side, channel) => {
    gains[side] = context.createGain();
    split.connect(gains[side], channel).connect(out);
  });
  out.connect(context.destination);
  listen();
}
function listen() {
  for (const side of ["user", "model"])
    if (gains) gains[side].gain.value = $(`hear-${side}`).checked ? 1 : 0;
}
function toggle() {
  if (!facts.sound) return;
  if (!gains) mixer();
  if (audio.paused) audio.play(); else audio.pause();
}
function seek(at, show = false) {
  position = Math.min(Math.max(0, at), length);
  if (facts.sound) audio.currentTime = position;
  if (show && (position < view[0] || position > view[1]))
    look(position - (view[1] - view[0]) / 4, view[1] - view[0]);
  follow();
}
function follow() {
  $("clock").textContent = `${clock(position, 1)} of ${clock(length)}`;
  const current = lines.filter(([at]) => at <= position + 0.05).at(-1)?.[1];
  for (const [, line] of lines) line.classList.toggle("now", line === current);
  redraw();
}
function tick() {
  position = audio.currentTime;
  const span = view[1] - view[0];
  if (position > view[1] || position < view[0]) look(position, span);
  follow();
  if (!audio.paused) requestAnimationFrame(tick);
}
audio.addEventListener("play", () => { $("play").textContent = "Pause"; tick(); });
audio.addEventListener("pause", () => { $("play").textContent = "Play"; });

$("play").addEventListener("click", toggle);
["hear-user", "hear-model"].forEach((id) => $(id).addEventListener("change", listen));
$("in").addEventListener("click", () => zoom(0.5, position > view[0] && position < view[1] ?
  position : undefined));
$("out").addEventListener("click", () => zoom(2));
$("all").addEventListener("click", () => look(0, length));
$("scroll").addEventListener("input", (event) => {
  const span = view[1] - view[0];
  look(event.target.value / 1000 * (length - span), span);
});
canvas.addEventListener("click", (event) => seek(timeAt(event)));
canvas.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.shiftKey && !event.deltaX) return;  // the page scrolls
  event.preventDefault();
  const span = view[1] - view[0];
  if (event.ctrlKey) zoom(Math.exp(event.deltaY / 200), timeAt(event));
  else look(view[0] + (event.deltaX || event.deltaY) / 800 * span, span);
}, {passive: false});
canvas.addEventListener("pointermove", (event) => {
  const box = canvas.getBoundingClientRect(), card = $("timeline").getBoundingClientRect();
  const px = event.clientX - box.left, py = event.clientY - box.top;
  const hit = hits.findLast(([l, r, t, b]) => px >= l && px <= r && py >= t && py <= b);
  $("tip").hidden = !hit;
  if (!hit) return;
  $("tip").textContent = hit[4];
  $("tip").style.top = `${event.clientY - card.top + 16}px`;
  const room = card.width - $("tip").offsetWidth - 8;
  $("tip").style.left = `${Math.max(8, Math.min(event.clientX - card.left, room))}px`;
});
canvas.addEventListener("pointerleave", () => { $("tip").hidden = true; });
document.addEventListener("keydown", (event) => {
  if (event.target.closest("button, input")) return;
  const moves = {ArrowLeft: -2, ArrowRight: 2};
  if (event.key === " ") toggle();
  else if (event.key in moves) seek(position + moves[event.key], true);
  else return;
  event.preventDefault();
});
new ResizeObserver(redraw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

const drawing = document.querySelector("#drawing svg");
drawing.style.minWidth = `${Math.min(drawing.viewBox.baseVal.width, 760)}px`;
tiles();
conversation();
waits();
tables();
follow();
