// The virtual clock. Runs before any script of the page, in every frame.
//
// Time stands still at 0 while the page loads. seekTo(ms) moves it: timers that fall due on the way run in the
// order of their due times, each at its own time; randomness is seeded from the time, so that what a frame draws
// depends on its time alone and not on the frames drawn before it.
(() => {
  const native = {
    Date: window.Date,
    setTimeout: window.setTimeout.bind(window),
    MessageChannel: window.MessageChannel,
    requestAnimationFrame: window.requestAnimationFrame.bind(window),
    milliseconds: performance.now.bind(performance),
  };
  // Timers that a page sets to wait for something are short; longer ones mean a moment of the video.
  const POLLING_DELAY_MS = 250;
  // HTML's clamp for timers set by timers, without which a zero-delay chain would never let time go on.
  const NESTED_TIMER_MS = 4;
  const MAX_TIMERS_PER_SEEK = 200000;
  // A page takes a second without an animation frame for a sleep, and d3-timer would leave it out of its own time.
  const LONGEST_PAUSE_MS = 500;

  let now = 0;
  let nextId = 1;
  let insideTimer = false;
  let drawn = true;
  const timers = new Map();
  let frameCallbacks = new Map();
  let unfinished = null;

  function VirtualDate(...parts) {
    if (!new.target) return new native.Date(now).toString();
    return Reflect.construct(native.Date, parts.length ? parts : [now], new.target);
  }
  VirtualDate.prototype = native.Date.prototype;
  VirtualDate.prototype.constructor = VirtualDate;
  Object.setPrototypeOf(VirtualDate, native.Date);
  VirtualDate.now = () => Math.floor(now);
  window.Date = VirtualDate;
  performance.now = () => now;

  function call(callback, parts) {
    try {
      if (typeof callback === "function") callback(...parts);
      else (0, eval)(String(callback));
    } catch (error) {
      // As a browser does: report it, and go on with the next callback.
      window.reportError(error);
    }
  }

  function addTimer(callback, delay, repeat, parts) {
    const wait = Math.max(insideTimer || repeat ? NESTED_TIMER_MS : 0, Number(delay) || 0);
    const id = nextId++;
    timers.set(id, { id, callback, parts, due: now + wait, every: repeat ? wait : null, wait });
    return id;
  }
  window.setTimeout = (callback, delay, ...parts) => addTimer(callback, delay, false, parts);
  window.setInterval = (callback, delay, ...parts) => addTimer(callback, delay, true, parts);
  window.clearTimeout = window.clearInterval = (id) => void timers.delete(Number(id));
  window.requestIdleCallback = (callback) =>
    addTimer(() => callback({ didTimeout: false, timeRemaining: () => 50 }), 1, false, []);
  window.cancelIdleCallback = window.clearTimeout;

  window.requestAnimationFrame = (callback) => {
    const id = nextId++;
    frameCallbacks.set(id, callback);
    return id;
  };
  window.cancelAnimationFrame = (id) => void frameCallbacks.delete(id);

  // Mulberry32 (public domain, T. Ettinger), seeded from the whole milliseconds of the frame's time.
  let state = 0;
  function seed() {
    state = (Math.imul(Math.floor(now) | 0, -1640531527) + 0x9e3779b9) | 0;
  }
  function randomWord() {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return (word ^ (word >>> 14)) >>> 0;
  }
  Math.random = () => randomWord() / 4294967296;
  if (window.crypto) {
    const getRandomValues = (array) => {
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      for (let i = 0; i < bytes.length; i += 4) {
        const word = randomWord();
        if (i + 4 > bytes.length) {
          bytes[i] = word & 255;
          i -= 3;
        } else for (let k = 0; k < 4; k++) bytes[i + k] = (word >>> (8 * k)) & 255;
      }
      return array;
    };
    Object.defineProperty(window.crypto, "getRandomValues", { value: getRandomValues });
    Object.defineProperty(window.crypto, "randomUUID", {
      value: () => {
        const b = getRandomValues(new Uint8Array(16));
        b[6] = (b[6] & 15) | 64;
        b[8] = (b[8] & 63) | 128;
        const hex = Array.from(b, (v) => v.toString(16).padStart(2, "0")).join("");
        return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
      },
    });
  }
  seed();

  // Lets everything that is queued right now run, promises included.
  const macrotask = () =>
    new Promise((resolve) => {
      const { port1, port2 } = new native.MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(0);
    });

  function earliest() {
    let first = null;
    for (const timer of timers.values())
      if (!first || timer.due < first.due || (timer.due === first.due && timer.id < first.id)) first = timer;
    return first;
  }

  function fire(timer) {
    if (timer.every === null) timers.delete(timer.id);
    else timer.due = Math.max(timer.due, now) + timer.every;
    insideTimer = true;
    call(timer.callback, timer.parts);
    insideTimer = false;
  }

  async function runTimersUntil(end, seek = { fired: 0 }) {
    for (; ; seek.fired++) {
      const timer = earliest();
      if (!timer || timer.due > end) return;
      if (seek.fired === MAX_TIMERS_PER_SEEK)
        throw new Error(`${MAX_TIMERS_PER_SEEK} timers fell due before ${end} ms: a timer loop that does not end`);
      now = Math.max(now, timer.due);
      fire(timer);
      await macrotask();
    }
  }

  const sameOriginFrames = () =>
    Array.from(window.frames).flatMap((frame) => {
      try {
        return frame.__hfClock ? [frame.__hfClock] : [];
      } catch {
        return [];
      }
    });

  window.__hfClock = {
    now: () => now,

    // Moves time to `ms`, with an animation frame every LONGEST_PAUSE_MS on the way. Going back does not undo what was
    // done. False when it took longer than `patience` real ms: the same call again goes on, through the same moments.
    async seekTo(ms, { patience = Infinity } = {}) {
      const seek = unfinished?.ms === ms ? unfinished : { ms, start: now, frames: 0, fired: 0 };
      unfinished = null;
      const moveTo = async (moment) => {
        await runTimersUntil(moment, seek);
        now = moment;
        seed();
        for (const clock of sameOriginFrames()) await clock.seekTo(moment);
      };
      const next = () => seek.start + (seek.frames + 1) * LONGEST_PAUSE_MS;
      const began = native.milliseconds();
      while (next() < ms - 1e-6) {
        await moveTo(next());
        seek.frames++;
        this.animationFrame();
        await macrotask();
        if (native.milliseconds() - began >= patience) {
          unfinished = seek;
          return false;
        }
      }
      await moveTo(ms);
      return true;
    },

    // One animation frame at the current time. What callbacks queue waits for the next one.
    animationFrame() {
      seed();
      const due = frameCallbacks;
      frameCallbacks = new Map();
      for (const callback of due.values()) call(callback, [now]);
      for (const clock of sameOriginFrames()) clock.animationFrame();
    },

    // While the page loads: runs what is due at 0. With `polls`, the short timers and animation frames that the page
    // waits with run too, without time moving; `any` runs the earliest of the long timers as well. A page that needs no
    // such help has drawn no animation frame before the video's first, as loops that count them expect.
    async whileLoading({ polls = false, any = false } = {}) {
      await runTimersUntil(0);
      if (polls || any) {
        this.animationFrame();
        // Each once: time stands still, so one that sets itself again would otherwise stay the earliest for ever.
        const waiting = Array.from(timers.values()).sort((a, b) => a.due - b.due || a.id - b.id);
        const long = waiting.find((timer) => timer.wait > POLLING_DELAY_MS);
        for (const timer of waiting)
          if (timers.has(timer.id) && (timer.wait <= POLLING_DELAY_MS || (any && timer === long))) {
            fire(timer);
            await macrotask();
          }
      }
      await macrotask();
      for (const clock of sameOriginFrames()) await clock.whileLoading({ polls, any });
    },

    // Asks the browser when it draws this frame, and those in it, again: `draws` says whether it has by now.
    watchDrawing() {
      drawn = false;
      native.requestAnimationFrame(() => {
        drawn = true;
      });
      for (const clock of sameOriginFrames()) clock.watchDrawing();
    },
    draws: () => drawn && sameOriginFrames().every((clock) => clock.draws()),

    // Real milliseconds, for the renderer's own waiting.
    pause: (ms) => new Promise((resolve) => native.setTimeout(resolve, ms)),
  };
})();
