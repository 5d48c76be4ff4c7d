// The page driver: the few calls by which the renderer moves a composition. It knows the page runtime by its
// published globals (__player, __playerReady, __renderReady, __timelines, __hfWaitForSeekCompletion) and no more,
// so that the runtime can be replaced.
(() => {
  const clock = window.__hfClock;
  const MAX_PRIMED_MOMENTS = 5000;
  // How long a seek works before it lets the renderer look at its limits.
  const PATIENCE_MS = 1000;

  // What page libraries know a renderer by. Shader transitions wrap `seek`, draw each transition inside the page, and
  // say with __hf_page_composite_pending that they need one paint for it.
  window.__hf = { seek: (seconds) => window.__player.renderSeek(seconds) };
  window.__HF_VIRTUAL_TIME__ = { getTime: () => clock.now() };
  window.__HF_PAGE_SIDE_COMPOSITING__ = true;

  // D3's transitions run on the clock and end within the video; the runtime would wait for them before its beginning.
  const d3Objects = [];
  const isTransition = (object) => typeof object?.tween === "function" && typeof object.end === "function";
  Object.defineProperty(window, "__hfD3", {
    configurable: true,
    get() {
      const others = d3Objects.filter((object) => !isTransition(object));
      d3Objects.splice(0, d3Objects.length, ...others);
      return d3Objects;
    },
    set(objects) {
      d3Objects.splice(0, d3Objects.length, ...(Array.isArray(objects) ? objects : []));
    },
  });

  let seekHeard = false;
  window.addEventListener("hf-seek", () => {
    seekHeard = true;
  });

  function missingTimelines() {
    const timelines = window.__timelines || {};
    return Array.from(document.querySelectorAll("[data-composition-id]"))
      .filter((element) => !element.hasAttribute("data-no-timeline"))
      .map((element) => element.getAttribute("data-composition-id"))
      .filter((id) => id && !timelines[id]);
  }

  function loadingImages() {
    return Array.from(document.images)
      .filter((image) => image.getAttribute("src") && !image.complete)
      .map((image) => image.getAttribute("src"));
  }

  async function loadFonts() {
    // All of them: which text shows which face depends on the frame, and a face that loads late would move it.
    const faces = Array.from(document.fonts);
    await Promise.all(faces.map((face) => face.load().catch(() => undefined)));
    await document.fonts.ready;
    return faces.filter((face) => face.status === "error").map((face) => `${face.family} ${face.weight} ${face.style}`);
  }

  // What was registered for readiness, for the message about a runtime that is not ready.
  const registered = () =>
    ["__hfLottie", "__hfMapbox", "__hfLeaflet", "__hfGoogleMaps", "__hfMaplibre", "__hfD3"]
      .filter((name) => window[name]?.length)
      .join(", ");

  // What the page has asked for and not got yet: it is not ready before it could draw that. Only while it loads.
  const asked = new Set();
  const { fetch: nativeFetch } = window;
  window.fetch = function (...parts) {
    const answer = nativeFetch.apply(this, parts);
    const request = { url: String(parts[0]?.url ?? parts[0]) };
    asked.add(request);
    answer
      .then((response) => response.clone().arrayBuffer())
      .catch(() => undefined)
      .finally(() => asked.delete(request));
    return answer;
  };
  const { open, send } = XMLHttpRequest.prototype;
  const urls = new WeakMap();
  XMLHttpRequest.prototype.open = function (...parts) {
    urls.set(this, String(parts[1]));
    return open.apply(this, parts);
  };
  XMLHttpRequest.prototype.send = function (...parts) {
    const request = { url: urls.get(this) };
    this.addEventListener("loadend", () => (request.ended = true) && asked.delete(request), { once: true });
    send.apply(this, parts);
    // One that cannot be sent has no end either; a synchronous one has had its end by now.
    if (!request.ended) asked.add(request);
  };

  let tailwind = null;
  function tailwindIsReady() {
    const promised = window.__tailwindReady;
    if (typeof promised?.then !== "function") return promised !== false;
    if (tailwind?.promised !== promised) {
      const mine = (tailwind = { promised, done: false });
      promised.then(() => (mine.done = true), () => (mine.done = true));
    }
    return tailwind.done;
  }

  async function decodeImages() {
    const images = Array.from(document.images).filter((image) => image.getAttribute("src"));
    await Promise.all(images.map((image) => image.decode().catch(() => undefined)));
  }

  // lottie-web leaves a property alone that moved by less than a hundred-thousandth since the frame it drew last,
  // whichever that was. Drawn from its first frame each time, it depends on that frame only.
  function rewindLotties() {
    for (const animation of window.lottie?.getRegisteredAnimations?.() ?? [])
      if (animation.isLoaded) animation.goToAndStop(0, true);
  }

  // An element cannot be drawn into a canvas before it was painted once. Each seek paints, and has the page draw again.
  const { drawElementImage } = CanvasRenderingContext2D.prototype;
  if (drawElementImage)
    CanvasRenderingContext2D.prototype.drawElementImage = function (...parts) {
      try {
        return drawElementImage.apply(this, parts);
      } catch (error) {
        if (!String(error.message).includes("No cached paint record")) throw error;
      }
    };

  // Shader transitions keep canvases of their own for it, and draw them when they are told to.
  const drawsElements = () => document.querySelector('canvas[layoutsubtree]:not([style*="z-index: -9998"])') !== null;

  function frameDepth(page) {
    const inside = (frame) => {
      try {
        return 1 + frameDepth(frame);
      } catch {
        return 1;
      }
    };
    return Math.max(0, ...Array.from(page.frames, inside));
  }

  // Every moment at which a tween of the timeline starts, in the timeline's own seconds, in order.
  function tweenStarts(timeline) {
    const starts = new Set();
    const visit = (parent, start, scale) => {
      for (const child of parent.getChildren(false, true, true)) {
        const at = start + child.startTime() / scale;
        starts.add(at);
        if (child.getChildren) visit(child, at, scale * (child.timeScale() || 1));
      }
    };
    visit(timeline, 0, 1);
    return Array.from(starts).sort((a, b) => a - b);
  }

  // The page's own promises about a moment. In real time: no clock of the page moves meanwhile.
  async function promisesKept(seconds, limit) {
    const kept = Promise.resolve(window.__hfWaitForSeekCompletion?.()).then(() => true);
    if (!(await Promise.race([kept, clock.pause(limit * 1000).then(() => false)])))
      throw new Error(`what hf-seek listeners promised (waitUntil) about ${seconds} s was not kept within ${limit} s`);
  }

  window.__hfDriver = {
    // What the page still waits for; an empty list means ready. `untimed`: ids known to register no timeline.
    async waitingFor({ untimed = [], polls = false, any = false } = {}) {
      await clock.whileLoading({ polls, any });
      window.__hfFlushSync?.();
      const reasons = [];
      if (document.readyState === "loading") reasons.push({ gate: "document" });
      if (!window.__playerReady || !window.__renderReady || !window.__player) reasons.push({ gate: "runtime", what: registered() });
      for (const id of missingTimelines()) if (!untimed.includes(id)) reasons.push({ gate: "timeline", what: id });
      for (const src of loadingImages()) reasons.push({ gate: "image", what: src });
      for (const { url } of asked) reasons.push({ gate: "answer", what: url });
      if (!tailwindIsReady()) reasons.push({ gate: "tailwind" });
      return reasons;
    },

    // Called once, when nothing is waited for any more. Returns the fonts that could not be loaded, and the compositions
    // whose timelines were not primed.
    async settleAtStart() {
      const failedFonts = await loadFonts();
      await decodeImages();
      // A jump of a chunk's length is no lag to smooth over.
      window.gsap?.ticker?.lagSmoothing?.(0);
      window.__hfForceTimelineRebind?.();
      await window.__hfAnimated.ready();
      return { failedFonts, unprimed: this.prime() };
    },

    // A tween records where it starts from when it is first drawn. Visiting each start in order, silently, makes
    // those records the same whichever frame a worker begins with. Returns the ids that have too many starts for it.
    prime() {
      const unprimed = [];
      for (const [id, timeline] of Object.entries(window.__timelines || {})) {
        if (!timeline?.getChildren || !timeline.totalTime) continue;
        const starts = tweenStarts(timeline);
        if (starts.length > MAX_PRIMED_MOMENTS) {
          unprimed.push(id);
          continue;
        }
        for (const start of starts) timeline.totalTime(start, true);
        timeline.totalTime(0, true);
      }
      return unprimed;
    },

    // Where every video and audio element stands in time; seconds, as the page resolves them.
    media: () => window.__hfTiming.clips(),

    madeVideos: () => window.__hfTiming.madeVideos(),

    knowMedia: (facts) => window.__hfMedia.know(facts),

    duration: () => Number(window.__player?.getDuration?.() ?? 0),

    // Shows the frame at `seconds`; resolves when the page's own promises about it are kept. `frames`: the pictures
    // of the videos that change, by render id; they come first, so that scripts that draw videos draw these. True means
    // that the page draws elements into canvases, for which it has to be painted: between `beforePaint` and `afterPaint`.
    // Null means that the page is still on its way: go on with `arrive`, until it gives another answer.
    async seek(seconds, frames, limit) {
      await window.__hfMedia.show(frames);
      await window.__hfAnimated.show(seconds);
      return this.arrive(seconds, Object.keys(frames).length > 0, limit);
    },

    async arrive(seconds, changed, limit) {
      if (!(await clock.seekTo(seconds * 1000, { patience: PATIENCE_MS }))) return null;
      rewindLotties();
      seekHeard = false;
      window.__hf.seek(seconds);
      // The runtime does not say the same moment twice, not even when the videos are others by now.
      if (!seekHeard && changed) window.__hfReseekGpu?.(seconds);
      clock.animationFrame();
      await promisesKept(seconds, limit);
      if (loadingImages().length) await decodeImages();
      if (document.fonts.status === "loading") await document.fonts.ready;
      return Boolean(window.__hf_page_composite_pending) || drawsElements();
    },

    beforePaint: () => window.__hf_page_composite_prepare?.(),

    async afterPaint(seconds, limit) {
      window.__hf_page_composite_resolve?.();
      if (!drawsElements()) return;
      window.__hfReseekGpu?.(seconds);
      clock.animationFrame();
      await promisesKept(seconds, limit);
    },

    // What Chromium keeps from frame to frame (layers and the scale they were rastered at, effect nodes of
    // elements whose opacity came back to 1) shows in the pixels: +-1 along edges, more under a scaling animation.
    // A page that was hidden for one frame has none of it; layout, animations and scripts do not notice.
    hide() {
      document.body.style.setProperty("content-visibility", "hidden", "important");
    },

    // Returns how deep frames are nested in the page: each level wakes one frame after the one around it, or later.
    show() {
      document.body.style.removeProperty("content-visibility");
      const depth = frameDepth(window);
      if (depth) clock.watchDrawing();
      return depth;
    },

    // Whether the page and every frame in it have been drawn since `show`.
    draws: () => clock.draws(),

    // Backgrounds of the stage are not part of the picture in formats with alpha (composition contract, section 3.4).
    clearBackground() {
      const style = document.createElement("style");
      style.textContent =
        "html, body, [data-composition-id] { background: transparent !important }";
      document.head.append(style);
    },

    webgpuAdapter: async () => (await navigator.gpu?.requestAdapter())?.info.architecture ?? null,

    webglRenderer() {
      const gl = document.createElement("canvas").getContext("webgl");
      const info = gl?.getExtension("WEBGL_debug_renderer_info");
      return info ? `${gl.getParameter(info.UNMASKED_VENDOR_WEBGL)} | ${gl.getParameter(info.UNMASKED_RENDERER_WEBGL)}` : null;
    },
  };
})();
