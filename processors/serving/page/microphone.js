// Cuts the microphone's sound into int16 frames of 20 ms.

class MicrophoneWorklet extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 50);
    this.begin();
  }

  begin() {
    this.pcm = new Int16Array(this.size);
    this.count = 0;
    this.peak = 0;
  }

  process([[samples]]) {
    for (const sample of samples ?? []) {
      const value = Math.max(-1, Math.min(1, sample));
      this.peak = Math.max(this.peak, Math.abs(value));
      this.pcm[this.count++] = Math.round(value * 32767);
      if (this.count === this.size) {
        this.port.postMessage({ pcm: this.pcm, peak: this.peak }, [this.pcm.buffer]);
        this.begin();
      }
    }
    return true;
  }
}

registerProcessor("microphone", MicrophoneWorklet);
