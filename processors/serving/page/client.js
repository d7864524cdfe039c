// A conversation with a served graph, for any page: microphone, loudspeaker, and the websocket.
//
//   import { Conversation } from "./client.js";
//   const conversation = new Conversation({ url: "wss://example.org/session" });
//   conversation.addEventListener("transcript", ({ detail }) => console.log(detail.text));
//   button.onclick = () => conversation.start();
//
// Every message of the protocol is an event of the same name, with the message as `detail`.
// Besides: `state` (idle, starting, waiting, open, away, over), `level` (who, peak 0 to 1), `playing`
// (whether the model is being heard), `latency` (ms from the end of the user's speech to the first
// sound of the answer), and `unplugged` (the microphone is gone).

import { Microphone, Speaker } from "./audio.js";

const PROTOCOL = "live-pipeline.v1";
const HEADER_BYTES = 20;
const KEPT_MS = 30_000; // of the microphone's sound, for the time without a connection
const KEPT_LINES = 100;
const QUIET_MS = 1_500; // after which the server is asked whether it is there
const PATIENCE_MS = 3_000; // for its answer
const CONNECT_MS = 10_000; // for its first message
const WATCH_MS = 500;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;
const TAKEN_OVER = 4000;
const REASONS = { NetworkError: "unreachable", SecurityError: "insecure" }; // else the microphone

export class Conversation extends EventTarget {
  // memory: where a conversation is kept for a page that is loaded again; null for nowhere.
  constructor({ url, token = "", processing = true, memory = null }) {
    super();
    Object.assign(this, { url, token, processing, memory });
    this.state = "idle";
    this.devices = []; // of the user's: microphone, loudspeaker, camera, keyboard
    this.muted = false;
  }

  // What a page that was loaded again can go on with.
  get remembered() {
    try {
      return JSON.parse(this.memory?.getItem("conversation") ?? "null");
    } catch {
      return null;
    }
  }

  // Which of the user's devices it uses; also before it has begun.
  async ask() {
    const address = new URL("devices", this.url);
    address.protocol = address.protocol.replace("ws", "http");
    try {
      this.devices = await (await fetch(address)).json();
    } catch {
      throw new DOMException("", "NetworkError");
    }
    return this.devices;
  }

  // Ask for the microphone and begin, or go on. Call it from a click: browsers want that.
  // microphone: false to do without one, and only type.
  async start({ microphone = true } = {}) {
    this.#become("starting");
    this.#session = this.remembered ?? { session: "", resume: "" };
    this.#received = 0;
    this.#kept = [];
    this.#captured = 0;
    this.#lines = [];
    this.#typed = 0;
    this.#ending = false;
    this.#origin = Infinity;
    this.#reloaded = Boolean(this.#session.session);
    this.#speaker = new Speaker((report) => this.#report(report));
    this.#microphone = new Microphone(
      (frame) => this.#hear(frame),
      () => this.dispatchEvent(new CustomEvent("unplugged")),
    );
    try {
      // the loudspeaker is opened before it is known whether it is needed: browsers want a click
      const opened = this.#speaker.open().catch((error) => error);
      const [devices, problem] = await Promise.all([this.ask(), opened]);
      if (problem && devices.includes("loudspeaker")) throw problem;
      if (microphone && devices.includes("microphone")) await this.#microphone.open(this.processing);
    } catch (error) {
      await this.#close();
      const reason = REASONS[error.name] ?? "microphone";
      this.#become("over", { reason, message: explain(error) });
      return;
    }
    if (this.state !== "starting") return void this.#close(); // it was left meanwhile
    this.#watch = setInterval(() => this.#check(), WATCH_MS);
    addEventListener("online", this.#again);
    this.#connect();
  }

  // Nothing more to say: what is under way still comes, then the conversation is over.
  end() {
    this.#ending = true;
    if (this.state === "open") this.#tell({ type: "end" });
    else if (this.state !== "away") this.#finish({ reason: "done", message: "" });
  }

  // Be gone at once.
  leave() {
    this.#finish({ reason: "left", message: "" });
  }

  // A typed line; without a connection it is kept until there is one.
  type(text) {
    if (this.state !== "open" && this.state !== "away") return;
    this.#lines.push({ number: ++this.#typed, text });
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    if (this.state === "open") this.#tell({ type: "text", text });
  }

  // A picture as a Blob; JPEG, PNG or WebP.
  async show(blob) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let binary = "";
    for (let i = 0; i < bytes.length; i += 8192) {
      binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
    }
    if (this.state === "open") {
      this.#tell({ type: "image", data: btoa(binary), mime_type: blob.type });
    }
  }

  // --- the connection ---

  #session;
  #received = 0;
  #reloaded = false;
  #socket = null;
  #retry = 0;
  #pause = FIRST_PAUSE_MS;
  #giveUpAt = 0;
  #over = null;
  #watch = 0;
  #heardAt = 0; // when the server last said something
  #askedAt = 0; // when it was asked whether it is there, if it has not answered
  #again = () => this.state === "away" && !this.#socket && this.#connect();

  #connect() {
    clearTimeout(this.#retry);
    this.#over = null;
    this.#heardAt = performance.now();
    this.#askedAt = 0;
    const socket = new WebSocket(this.url, PROTOCOL);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () =>
      this.#tell({
        type: "start",
        rate: this.#microphone.rate,
        token: this.token,
        ...this.#session,
        received: this.#received,
      });
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#heardAt = performance.now();
      this.#askedAt = 0;
      if (typeof data === "string") this.#take(JSON.parse(data));
      else this.#play(data);
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#lost(code);
    };
  }

  // A network that swallows everything closes no websocket, for minutes.
  #check() {
    if (!this.#socket) return;
    const now = performance.now();
    if (this.state === "open" || this.state === "waiting") {
      if (this.#askedAt && now - this.#askedAt > PATIENCE_MS) this.#abandon();
      else if (!this.#askedAt && now - this.#heardAt > QUIET_MS) {
        this.#askedAt = now;
        this.#tell({ type: "ping" });
      }
    } else if (now - this.#heardAt > CONNECT_MS) {
      this.#abandon();
    }
  }

  #abandon() {
    const socket = this.#socket;
    socket.onclose = null;
    socket.close();
    this.#lost(0);
  }

  #take(message) {
    if (message.n) this.#received = message.n;
    switch (message.type) {
      case "welcome":
        this.#welcome(message);
        break;
      case "waiting":
        this.#become("waiting", message);
        break;
      case "refused":
      case "ended":
        this.#over = message;
        break;
      case "interrupted":
        this.#speaker.drop(message.turn);
        this.#showPlaying(false);
        break;
      case "volume":
        this.#speaker.setVolume(message.volume);
        break;
      case "turn":
        if (message.state === "started") this.#asked = [message.turn, message.asked_ms];
        else this.#speaker.flush();
        break;
    }
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }

  #welcome(message) {
    const captured = message.captured_ms;
    if (this.#reloaded) {
      // this page has captured nothing of what the server has
      this.#captured += captured;
      for (const frame of this.#kept) frame.ms += captured;
      this.#typed += message.texts;
      for (const line of this.#lines) line.number += message.texts;
      this.#origin -= captured;
      this.#reloaded = false;
    }
    this.#session = { session: message.session, resume: message.resume };
    this.memory?.setItem("conversation", JSON.stringify(this.#session));
    this.devices = message.devices;
    this.graceMs = message.grace_s * 1000;
    this.#pause = FIRST_PAUSE_MS;
    this.#giveUpAt = 0;
    const missed = this.#kept.filter((frame) => frame.ms > captured - 1);
    const from = missed.length ? missed[0].ms : this.#captured;
    if (from - captured > 1) this.#tell({ type: "lost", ms: from - captured });
    for (const frame of missed) this.#socket.send(frame.pcm);
    this.#lines = this.#lines.filter(({ number }) => number > message.texts);
    for (const { text } of this.#lines) this.#tell({ type: "text", text });
    if (this.#ending) this.#tell({ type: "end" });
    this.#become("open", message);
  }

  #lost(code) {
    this.#socket = null;
    if (this.state === "over" || this.state === "idle") return;
    if (this.#over) {
      this.#finish(this.#over);
    } else if (code === TAKEN_OVER) {
      this.#finish({ reason: "taken-over", message: "The conversation goes on elsewhere." });
    } else if (!this.#session.session) {
      this.#finish({ reason: "unreachable", message: "The server cannot be reached." });
    } else {
      const now = performance.now();
      this.#giveUpAt ||= now + (this.graceMs ?? 60_000);
      if (now >= this.#giveUpAt) {
        this.#finish({ reason: "gone", message: "The connection could not be restored." });
        return;
      }
      this.#become("away");
      this.#retry = setTimeout(() => this.#connect(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    }
  }

  #tell(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  async #finish(why) {
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    removeEventListener("online", this.#again);
    this.memory?.removeItem("conversation");
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.#become("over", why);
    await this.#close(why.reason === "done");
  }

  // played: let what is queued be heard first.
  async #close(played = false) {
    await this.#microphone?.close();
    if (played) await this.#speaker?.empty();
    await this.#speaker?.close();
  }

  #become(state, detail = {}) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { ...detail, state } }));
  }

  // --- sound ---

  #microphone = null;
  #speaker = null;
  #kept = [];
  #lines = []; // typed, and perhaps not arrived
  #typed = 0;
  #ending = false;
  #captured = 0; // ms of sound since the conversation began
  #origin = Infinity; // performance.now() at which the captured time was 0
  #asked = [0, null];

  #hear({ pcm, peak }) {
    const samples = this.muted ? new Int16Array(pcm.length) : pcm;
    const frame = { ms: this.#captured, pcm: samples.buffer };
    this.#captured += (samples.length / this.#microphone.rate) * 1000;
    // of all arrivals, the one with the least delay tells best
    this.#origin = Math.min(this.#origin, performance.now() - this.#captured);
    this.#kept.push(frame);
    while (this.#kept[0].ms < this.#captured - KEPT_MS) this.#kept.shift();
    if (this.state === "open" && this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(frame.pcm);
    }
    this.#level("user", this.muted ? 0 : peak);
  }

  #play(data) {
    const header = new DataView(data, 0, HEADER_BYTES);
    this.#received = header.getUint32(0, true);
    const turn = header.getUint32(4, true);
    const rate = header.getUint32(8, true);
    this.#speaker.play(turn, rate, header.getFloat64(12, true), new Int16Array(data, HEADER_BYTES));
  }

  #report({ turn, ms, playing, peak, audibleAt }) {
    if (turn !== undefined) {
      this.#tell({ type: "played", turn, ms, playing });
      this.#showPlaying(playing);
    }
    if (peak !== undefined) this.#level("model", peak);
    const [asked, askedMs] = this.#asked;
    if (audibleAt !== undefined && askedMs !== null && turn === asked) {
      this.#asked = [0, null];
      const latency = audibleAt - (this.#origin + askedMs);
      this.dispatchEvent(new CustomEvent("latency", { detail: latency }));
    }
  }

  #playing = false;

  #showPlaying(playing) {
    if (playing === this.#playing) return;
    this.#playing = playing;
    this.dispatchEvent(new CustomEvent("playing", { detail: playing }));
  }

  #level(who, peak) {
    this.dispatchEvent(new CustomEvent("level", { detail: { who, peak } }));
  }
}

function explain(error) {
  switch (error.name) {
    case "NotAllowedError":
      return "The microphone is not allowed. Allow it in the browser, and try again.";
    case "NotFoundError":
      return "No microphone was found. Connect one, and try again.";
    case "NotReadableError":
      return "The microphone is in use elsewhere.";
    case "NetworkError":
      return "The server cannot be reached.";
    case "SecurityError":
      return "Browsers allow microphones and sound at https and localhost only.";
    default:
      return `The sound could not be opened: ${error.message || error.name}`;
  }
}
