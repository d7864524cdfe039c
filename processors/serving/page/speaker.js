// Plays a queue of sound, each piece with its turn and its place in media time. What is dropped, or
// breaks off, is faded out, so that it does not click.

const FADE_S = 0.005;
const REPORT_S = 0.1;
const AHEAD_S = 0.06; // what is gathered before it begins, against jitter
const PATIENCE_S = 0.15; // and for how long
const AUDIBLE = 100 / 32768;

class SpeakerWorklet extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = [];
    this.offset = 0; // samples of the first piece that have been played; with a fraction
    this.waiting = true;
    this.flushing = false;
    this.asked = false;
    this.since = 0;
    this.last = 0; // the last sample, from which silence fades
    this.gain = 0;
    this.volume = 1; // 0: held
    this.turn = undefined;
    this.heard = undefined; // the last turn of which a sound was audible
    this.reportAt = 0;
    this.peak = 0;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told(message) {
    if (message.pcm) {
      if (!this.queue.length && this.waiting) this.since = currentTime;
      this.queue.push(message);
      this.flushing = false;
    } else if (message.drop !== undefined) {
      if (this.queue.length && this.queue[0].turn === message.drop) {
        if (this.turn === message.drop) this.port.postMessage({ ...this.position(), playing: false });
        this.offset = 0;
      }
      this.queue = this.queue.filter((piece) => piece.turn !== message.drop);
      this.turn = undefined;
    }
    if (message.volume !== undefined) this.volume = message.volume;
    if (message.flush) this.flushing = true;
    if (message.ask) this.asked = true;
  }

  get queued() {
    return this.queue.reduce((sum, { pcm, rate }) => sum + pcm.length / rate, 0);
  }

  process(_, [[output]]) {
    if (this.waiting && this.queue.length) {
      const enough = this.queued >= AHEAD_S || currentTime - this.since >= PATIENCE_S;
      if (enough || this.flushing) this.waiting = false;
    }
    const step = 1 / (FADE_S * sampleRate);
    for (let i = 0; i < output.length; i++) {
      const sample = this.waiting || this.volume === 0 ? undefined : this.next(i);
      if (sample === undefined) {
        this.gain = Math.max(0, this.gain - step);
        output[i] = this.last * this.gain;
      } else {
        const change = this.volume - this.gain;
        this.gain += Math.max(-step, Math.min(step, change));
        this.last = sample;
        output[i] = sample * this.gain;
      }
      this.peak = Math.max(this.peak, Math.abs(output[i]));
    }
    if (currentTime >= this.reportAt) this.report();
    if (this.asked && !this.queue.length) {
      this.asked = false;
      this.port.postMessage({ isEmpty: true });
    }
    return true;
  }

  // The next sample, or undefined where there is none.
  next(i) {
    const piece = this.queue[0];
    if (!piece) {
      this.waiting = true;
      return undefined;
    }
    const { pcm, rate } = piece;
    if (this.turn !== piece.turn) {
      this.turn = piece.turn;
      this.from = piece.ms;
    }
    const at = Math.floor(this.offset);
    const fraction = this.offset - at;
    const following = at + 1 < pcm.length ? pcm[at + 1] : (this.queue[1]?.pcm[0] ?? pcm[at]);
    const sample = (pcm[at] * (1 - fraction) + following * fraction) / 32768;
    if (this.heard !== piece.turn && Math.abs(sample) > AUDIBLE) {
      this.heard = piece.turn;
      const audible = currentTime + i / sampleRate;
      this.port.postMessage({ ...this.position(), audible });
    }
    this.offset += rate / sampleRate;
    if (this.offset >= pcm.length) {
      this.offset -= pcm.length;
      this.queue.shift();
      const next = this.queue[0];
      if (!next || next.turn !== piece.turn) this.finish(piece);
    }
    return sample;
  }

  position() {
    const piece = this.queue[0];
    const ms = piece.ms + (this.offset / piece.rate) * 1000;
    return { turn: piece.turn, from: this.from, ms, playing: true };
  }

  finish(piece) {
    const ms = piece.ms + (piece.pcm.length / piece.rate) * 1000;
    this.offset = 0;
    this.port.postMessage({ turn: piece.turn, from: this.from, ms, playing: false });
  }

  report() {
    this.reportAt = currentTime + REPORT_S;
    const isPlaying = !this.waiting && this.volume > 0 && this.queue.length && this.turn === this.queue[0].turn;
    this.port.postMessage({ ...(isPlaying ? this.position() : {}), peak: this.peak });
    this.peak = 0;
  }
}

registerProcessor("speaker", SpeakerWorklet);
