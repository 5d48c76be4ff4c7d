// The page that applies effect chains: raw samples (interleaved, 32-bit float) come and go in blocks, so that no
// message holds a whole sound.
window.hf = {
  async load(url) {
    const { getAudioFxRuntimeScript } = await import(url);
    (0, eval)(getAudioFxRuntimeScript());
  },

  // Fetches `frames` samples of each channel from `source` and applies the chain; returns how many there are then.
  async run({ source, frames, channels, rate, blockFrames, chain, automation }) {
    const planes = Array.from({ length: channels }, () => new Float32Array(frames));
    for (let first = 0; first < frames; first += blockFrames) {
      const block = new Float32Array(await (await fetch(`${source}/${first}`)).arrayBuffer());
      for (let i = 0; i < block.length; i++) planes[i % channels][first + Math.floor(i / channels)] = block[i];
    }
    this.planes = await window.__HF_AUDIO_FX.render(planes, rate, chain, automation ?? undefined);
    return this.planes[0].length;
  },

  // Some of the outcome, in Base64.
  block({ first, frames }) {
    const parts = this.planes.map((plane) => plane.subarray(first, first + frames));
    const block = new Float32Array(parts[0].length * parts.length);
    for (let i = 0; i < block.length; i++) block[i] = parts[i % parts.length][Math.floor(i / parts.length)];
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(new Blob([block]));
    });
  },
};
