// The page around a conversation: its words, its levels, and what one can press.

import { Conversation } from "./client.js";

const PICTURE_MS = 1000;
const PICTURE_WIDTH = 768;
const STATUS = {
  idle: "Ready",
  starting: "Connecting",
  waiting: "Waiting",
  open: "Listening",
  away: "Connection lost",
  over: "Ended",
};
const HINTS = {
  starting: "Allow the microphone, if the browser asks.",
  voice: "Say something.",
  both: "Say something, or type.",
  text: "Type something.",
};
const AWAY = "Trying to reach the server again. What you say meanwhile is kept.";
const FINE = ["done", "left"];
const NOTES = {
  thought: "Thinks: ",
  code: "Runs code: ",
  "code-result": "Result: ",
  search: "Searches: ",
  gap: "",
};
const SERVICE = {
  waiting: "Waiting for the service: as many conversations are open as it allows.",
  resumed: "The service has reconnected.",
};

const $ = (id) => document.getElementById(id);
const address = new URL("session", location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
address.search = address.hash = "";

const VERBS = { first: "Talk", again: "Continue", silent: "Begin" };

let conversation = null;
let isTyped = false; // without a microphone, though there could be one
let verb = VERBS.first;
let hint = $("hint").textContent;
const who = { playing: false, speaking: false };
let utterances = new Map();
let unsent = []; // lines that the server has not confirmed

// A token may come as #token=...: what is behind # is not sent to any server.
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  sessionStorage.setItem("token", fragment.get("token"));
  history.replaceState(null, "", location.pathname);
}
$("token").value = sessionStorage.getItem("token") ?? "";
if (sessionStorage.getItem("conversation")) {
  $("talk-label").textContent = VERBS.again;
  $("hint").textContent = "Your conversation is still there. Press the button to go on.";
}
new Conversation({ url: address.href })
  .ask()
  .then((devices) => {
    if (devices.includes("microphone")) return;
    document.body.toggleAttribute("data-silent", true);
    verb = VERBS.silent;
    if ($("talk-label").textContent !== VERBS.first) return;
    $("talk-label").textContent = verb;
    $("hint").textContent = hint = "Press the button, and type.";
  })
  .catch(() => {}); // whoever presses the button is told

// --- the conversation ---

function begin(microphone = true) {
  isTyped = !microphone;
  $("log").replaceChildren();
  utterances = new Map();
  unsent = [];
  sessionStorage.setItem("token", $("token").value);
  conversation = new Conversation({
    url: address.href,
    token: $("token").value,
    processing: $("processing").checked,
    memory: sessionStorage,
  });
  const on = (type, act) => conversation.addEventListener(type, ({ detail }) => act(detail));
  on("state", showState);
  on("transcript", showTranscript);
  on("typed", () => unsent.shift()?.remove());
  on("level", showLevel);
  on("latency", showLatency);
  who.playing = who.speaking = false;
  on("playing", (playing) => showWho({ playing }));
  on("speech", ({ speaking }) => showWho({ speaking }));
  on("call", ({ name, arguments: given }) => note(`Calls ${name}(${listed(given)})`));
  on("result", ({ name, response }) => note(`${name}: ${response.output ?? JSON.stringify(response)}`));
  on("note", ({ kind, text }) => note(`${NOTES[kind] ?? ""}${text}`));
  on("service", ({ kind }) => kind in SERVICE && note(SERVICE[kind]));
  on("unplugged", () => note("The microphone is gone. Connect one, stop, and begin again."));
  on("draining", ({ seconds }) => note(`The server will stop in ${seconds} s at the latest.`));
  conversation.start({ microphone });
}

function showState({ state, reason, message, position }) {
  document.body.dataset.state = state;
  const talking = state !== "over" && state !== "idle";
  document.body.toggleAttribute("data-talking", talking);
  const failed = state === "over" && !FINE.includes(reason);
  document.body.toggleAttribute("data-bad", failed);
  $("status").textContent = failed && !$("log").children.length ? "Not connected" : STATUS[state];
  if (state === "open") showWho();
  $("talk-label").textContent = talking ? "Stop" : verb;
  const could = (device) => conversation.devices.includes(device);
  const uses = (device) => (state === "open" || state === "away") && could(device);
  $("typing").hidden = !uses("keyboard");
  $("mute").hidden = isTyped || !uses("microphone");
  $("camera").hidden = !uses("camera");
  showNotice({ state, reason, message, position });
  $("without").hidden = reason !== "microphone" || !could("keyboard");
  $("processing-option").hidden = talking;
  $("token-option").hidden = talking || !(reason === "token" || $("token").value);
  if (reason === "token") $("token").focus();
  $("hint").hidden = $("log").children.length > 0 || failed || state === "waiting" || state === "away";
  if (state === "starting" && could("microphone")) $("hint").textContent = HINTS.starting;
  if (state === "open") {
    const speaks = could("microphone") && !isTyped;
    $("hint").textContent = HINTS[!speaks ? "text" : could("keyboard") ? "both" : "voice"];
  }
  document.body.toggleAttribute("data-typed", isTyped && talking);
  if (!talking) {
    $("hint").textContent = hint;
    showCamera(false);
    showMuted(false);
    showLevel({ who: "user", peak: 0 });
    showLevel({ who: "model", peak: 0 });
  }
}

function showNotice({ state, reason, message, position }) {
  const text = {
    waiting: `All places are taken. You are number ${position} in the queue.`,
    away: AWAY,
    over: FINE.includes(reason) ? "" : message,
  }[state];
  $("notice").hidden = !text;
  if ($("notice-text").textContent !== text) $("notice-text").textContent = text ?? "";
}

function showWho(change) {
  Object.assign(who, change);
  if (conversation.state !== "open") return;
  const idle = conversation.muted ? "Muted" : isTyped ? "Ready" : STATUS.open;
  $("status").textContent = who.playing ? "Answering" : who.speaking ? "Hearing you" : idle;
}

function showTranscript({ speaker, start_ms, text, final, interrupted }) {
  const key = `${speaker} ${start_ms}`;
  let item = utterances.get(key);
  if (!item) {
    item = append(speaker, "");
    utterances.set(key, item);
  }
  const words = text.trim();
  if (!words && final) {
    item.remove();
    return;
  }
  keepingUp(() => {
    item.textContent = words || "\u2026";
    item.classList.toggle("draft", !final);
    item.classList.toggle("cut", interrupted);
  });
  if (final) {
    const who = speaker === "user" ? "You" : "Model";
    $("spoken").textContent = `${who}: ${words}${interrupted ? " (interrupted)" : ""}`;
  }
}

function note(text) {
  append("note", text.length > 300 ? `${text.slice(0, 300)}\u2026` : text);
}

function append(kind, text) {
  const item = document.createElement("li");
  item.className = kind;
  item.textContent = text;
  keepingUp(() => $("log").append(item));
  $("hint").hidden = true;
  return item;
}

// Who has scrolled up to read is not pulled down.
let isAtEnd = true;

function keepingUp(change) {
  change();
  if (isAtEnd) $("log").scrollTop = $("log").scrollHeight;
}

$("log").addEventListener("scroll", ({ target }) => {
  isAtEnd = target.scrollHeight - target.scrollTop - target.clientHeight < 40;
});
new ResizeObserver(() => keepingUp(() => {})).observe($("log"));

function showLevel({ who, peak }) {
  const decibels = 20 * Math.log10(Math.max(peak, 1e-6));
  const part = Math.max(0, Math.min(1, (decibels + 60) / 60));
  const meter = $(`level-${who}`);
  meter.firstElementChild.style.transform = `scaleX(${part.toFixed(3)})`;
  meter.setAttribute("aria-valuenow", Math.round(part * 100));
}

function showLatency(ms) {
  $("latency").hidden = false;
  $("latency-value").textContent = `${Math.round(ms)} ms`;
}

function listed(given) {
  return Object.entries(given)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join(", ");
}

// --- what can be pressed ---

$("talk").addEventListener("click", () => {
  if (document.body.hasAttribute("data-talking")) conversation.leave();
  else begin();
});
$("without").addEventListener("click", () => {
  begin(false);
  $("talk").focus();
});

$("typing").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("line").value.trim();
  if (text) {
    unsent.push(append("user draft unsent", text));
    conversation.type(text);
  }
  $("line").value = "";
});

$("mute").addEventListener("click", () => showMuted(!conversation.muted));

function showMuted(muted) {
  if (conversation) conversation.muted = muted;
  $("mute").setAttribute("aria-pressed", muted);
  if (conversation) showWho();
}

// --- the camera ---

let pictures = 0;

$("camera").addEventListener("click", () => showCamera(!pictures));

async function showCamera(on) {
  const preview = $("preview");
  clearInterval(pictures);
  pictures = 0;
  $("camera").setAttribute("aria-pressed", on);
  preview.hidden = !on;
  for (const track of preview.srcObject?.getTracks() ?? []) track.stop();
  preview.srcObject = null;
  if (!on) return;
  try {
    preview.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: PICTURE_WIDTH }, facingMode: "environment" },
    });
    await preview.play();
    pictures = setInterval(takePicture, PICTURE_MS);
  } catch (error) {
    note(`The camera cannot be used: ${error.message}`);
    showCamera(false);
  }
}

function takePicture() {
  const preview = $("preview");
  const canvas = document.createElement("canvas");
  canvas.width = Math.min(PICTURE_WIDTH, preview.videoWidth);
  canvas.height = Math.round((canvas.width * preview.videoHeight) / preview.videoWidth);
  canvas.getContext("2d").drawImage(preview, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => blob && conversation.show(blob), "image/jpeg", 0.8);
}
