// The two ends of sound in a browser.

// The user's microphone, as int16 frames of 20 ms at `rate` Hz.
export class Microphone {
  rate = 16_000;
  #context;
  #stream;
  #hear;
  #unplugged;

  constructor(hear, unplugged) {
    this.#hear = hear;
    this.#unplugged = unplugged;
  }

  // processing: cancel echo, suppress noise, control gain.
  async open(processing) {
    if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
    this.#stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        channelCount: 1,
        echoCancellation: processing,
        noiseSuppression: processing,
        autoGainControl: processing,
      },
    });
    for (const track of this.#stream.getTracks()) track.onended = () => this.#unplugged();
    let source;
    this.#context = new AudioContext({ sampleRate: this.rate });
    try {
      source = this.#context.createMediaStreamSource(this.#stream);
    } catch {
      // some browsers do not change a microphone's rate: then the server does
      await this.#context.close();
      this.#context = new AudioContext();
      source = this.#context.createMediaStreamSource(this.#stream);
    }
    this.rate = this.#context.sampleRate;
    await this.#context.audioWorklet.addModule(new URL("microphone.js", import.meta.url));
    const node = new AudioWorkletNode(this.#context, "microphone", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => this.#hear(data);
    source.connect(node);
    await this.#context.resume();
  }

  async close() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    if (this.#context && this.#context.state !== "closed") await this.#context.close();
  }
}

// Plays sound in order, and says what of it has come out.
export class Speaker {
  #context;
  #node;
  #report;
  #emptied = null;

  constructor(report) {
    this.#report = report;
  }

  async open() {
    this.#context = new AudioContext({ sampleRate: 24_000, latencyHint: "interactive" });
    if (!this.#context.audioWorklet) throw new DOMException("", "SecurityError");
    await this.#context.audioWorklet.addModule(new URL("speaker.js", import.meta.url));
    this.#node = new AudioWorkletNode(this.#context, "speaker", { numberOfInputs: 0 });
    this.#node.port.onmessage = ({ data }) => this.#told(data);
    this.#node.connect(this.#context.destination);
    await this.#context.resume();
  }

  play(turn, rate, ms, pcm) {
    this.#node?.port.postMessage({ turn, rate, ms, pcm });
  }

  // Forget a turn: what is queued of it, and what is being played.
  drop(turn) {
    this.#node?.port.postMessage({ drop: turn });
  }

  // 0 holds what is queued until it is louder again.
  setVolume(volume) {
    this.#node?.port.postMessage({ volume });
  }

  // Nothing more comes for now: play what there is, however short.
  flush() {
    this.#node?.port.postMessage({ flush: true });
  }

  // Wait until all that is queued has been heard.
  async empty() {
    if (!this.#node || this.#context.state !== "running") return;
    await new Promise((resolve) => {
      this.#emptied = resolve;
      this.#node.port.postMessage({ flush: true, ask: true });
    });
  }

  async close() {
    if (this.#context && this.#context.state !== "closed") await this.#context.close();
  }

  #told(report) {
    if (report.isEmpty) {
      setTimeout(() => this.#emptied?.(), (this.#context.outputLatency || 0) * 1000 + 50);
      return;
    }
    if (report.audible !== undefined) {
      const { contextTime, performanceTime } = this.#context.getOutputTimestamp();
      report.audibleAt = performanceTime + (report.audible - contextTime) * 1000;
    }
    if (report.turn !== undefined) {
      const onItsWay = report.playing ? (this.#context.outputLatency || 0) * 1000 : 0;
      report.ms = Math.max(report.from, report.ms - onItsWay);
    }
    this.#report(report);
  }
}
