// Video and audio elements. Nothing is fetched, decoded or played here: what a browser would know of a file is told
// by the plan (__hfMediaFacts: served path -> seconds and px), and a video shows the frame it is given as its poster,
// which has its layout box, its styles and its place in the painting order.
(() => {
  const facts = window.__hfMediaFacts || {};
  const media = HTMLMediaElement.prototype;
  const states = new WeakMap();
  const HAVE_ENOUGH_DATA = 4;

  const state = (element) => {
    if (!states.has(element)) states.set(element, { paused: true, time: 0, announced: false, callbacks: new Map() });
    return states.get(element);
  };

  // The path under which the page's own origin serves `url`; null for anything else.
  function pathOf(url) {
    if (!url) return null;
    try {
      const parts = new URL(url, document.baseURI);
      parts.hash = "";
      return parts.origin === location.origin ? decodeURIComponent(parts.pathname).slice(1) : parts.href;
    } catch {
      return url;
    }
  }

  // What the element would load: its own source, else the first of its <source> children that can be read.
  function sourceOf(element) {
    const own = element.getAttribute("src");
    if (own) return pathOf(own);
    const children = Array.from(element.querySelectorAll("source[src]"), (child) => pathOf(child.getAttribute("src")));
    return children.find((path) => path in facts) ?? children[0] ?? null;
  }

  const factsOf = (element) => facts[sourceOf(element)];

  function announce(element, ...events) {
    queueMicrotask(() => events.forEach((name) => element.dispatchEvent(new Event(name))));
  }

  function announceLoaded(element) {
    if (!factsOf(element)) return;
    state(element).announced = true;
    announce(element, "loadstart", "durationchange", "loadedmetadata", "loadeddata", "canplay", "canplaythrough");
  }

  const ranges = (end) => ({ length: end ? 1 : 0, start: () => 0, end: () => end });

  function getters(prototype, properties) {
    for (const [name, [get, set]] of Object.entries(properties))
      Object.defineProperty(prototype, name, { configurable: true, enumerable: true, get, set: set ?? (() => {}) });
  }

  // A gain may be above 1, and a timeline may go there; what it sets is heard in the mix, not here.
  const native = Object.getOwnPropertyDescriptor(media, "volume");
  const setVolume = function (gain) {
    native.set.call(this, Math.max(0, Math.min(1, Number(gain) || 0)));
  };
  getters(media, { volume: [native.get, setVolume] });

  getters(media, {
    duration: [function () { return factsOf(this)?.duration ?? NaN; }],
    readyState: [function () { return factsOf(this) ? HAVE_ENOUGH_DATA : 0; }],
    networkState: [function () { return factsOf(this) ? 1 : 0; }],
    currentSrc: [function () { const path = sourceOf(this); return path ? new URL(path, `${location.origin}/`).href : ""; }],
    currentTime: [
      function () { return state(this).time; },
      function (seconds) {
        const time = Math.max(0, Number(seconds) || 0);
        if (time === state(this).time) return;
        state(this).time = time;
        announce(this, "seeking", "timeupdate", "seeked");
      },
    ],
    seeking: [() => false],
    paused: [function () { return state(this).paused; }],
    ended: [() => false],
    error: [() => null],
    buffered: [function () { return ranges(factsOf(this)?.duration); }],
    seekable: [function () { return ranges(factsOf(this)?.duration); }],
    played: [() => ranges(0)],
    // Anything but "none" would make the browser load the file.
    preload: [() => "auto"],
    autoplay: [() => false],
  });
  getters(HTMLVideoElement.prototype, {
    videoWidth: [function () { return factsOf(this)?.width ?? 0; }],
    videoHeight: [function () { return factsOf(this)?.height ?? 0; }],
  });

  media.load = function () {
    announceLoaded(this);
  };
  media.play = function () {
    if (state(this).paused) {
      state(this).paused = false;
      announce(this, "play", "playing");
    }
    return Promise.resolve();
  };
  media.pause = function () {
    if (!state(this).paused) {
      state(this).paused = true;
      announce(this, "pause");
    }
  };
  media.fastSeek = function (seconds) {
    this.currentTime = seconds;
  };

  // The attributes, not the properties above, are what the browser goes by.
  function keepStill(element) {
    if (element.getAttribute("preload") !== "none") element.setAttribute("preload", "none");
    element.removeAttribute("autoplay");
    element.setAttribute("disableremoteplayback", "");
  }

  // What a script makes must not load by itself either.
  const createElement = Document.prototype.createElement;
  Document.prototype.createElement = function (...parts) {
    const element = createElement.apply(this, parts);
    if (element instanceof HTMLMediaElement) keepStill(element);
    return element;
  };
  window.Audio = new Proxy(window.Audio, {
    construct(target, [source], self) {
      const element = Reflect.construct(target, [], self);
      keepStill(element);
      if (source !== undefined) element.src = source;
      return element;
    },
  });

  const placeholder = ({ width, height }) =>
    `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"/>`)}`;

  // A video gets its own size, by a picture that shows nothing. One that is moved keeps the frame it shows.
  function adopt(element) {
    keepStill(element);
    const known = factsOf(element);
    if (!(element instanceof HTMLVideoElement) || !known?.width) return;
    const { frame, framed } = state(element);
    element.poster = frame && framed === sourceOf(element) ? frame.src : placeholder(known);
  }
  const each = (node, act) => {
    if (node instanceof HTMLMediaElement) act(node);
    else if (node instanceof HTMLSourceElement && node.parentNode instanceof HTMLMediaElement) act(node.parentNode);
    else node.querySelectorAll?.("video, audio").forEach(act);
  };
  new MutationObserver((changes) => {
    for (const change of changes)
      if (change.type === "attributes") each(change.target, change.attributeName === "src" ? adopt : keepStill);
      else change.addedNodes.forEach((node) => each(node, adopt));
  }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["src", "preload", "autoplay"] });

  document.addEventListener("DOMContentLoaded", () => {
    for (const element of document.querySelectorAll("video, audio")) if (!state(element).announced) announceLoaded(element);
  });

  // --- The pictures of videos ---

  async function showFrame(element, url, mediaTime) {
    const image = new Image();
    image.src = url;
    await image.decode();
    const own = state(element);
    own.frame = image;
    own.framed = sourceOf(element);
    // It is in the browser's memory now, so it is there at once.
    element.poster = url;
    gradedFrame(element)?.setAttribute("src", url);
    const { width, height } = factsOf(element);
    const callbacks = own.callbacks;
    own.callbacks = new Map();
    for (const callback of callbacks.values()) {
      own.presented = (own.presented ?? 0) + 1;
      const now = performance.now();
      const told = { mediaTime, width, height, presentedFrames: own.presented, presentationTime: now, expectedDisplayTime: now };
      callback(now, told);
    }
  }

  // The page runtime grades the colors of a video from an image beside it that bears this name.
  function gradedFrame(element) {
    if (!element.hasAttribute("data-color-grading")) return null;
    const name = `__render_frame_${element.getAttribute("data-hf-render-id")}__`;
    let image = document.getElementById(name);
    if (!image) {
      image = document.createElement("img");
      image.id = name;
      image.className = "__render_frame__";
      image.style.cssText = "position:absolute;visibility:hidden;pointer-events:none";
      element.after(image);
    }
    return image;
  }

  let nextCallback = 1;
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
    state(this).callbacks.set(nextCallback, callback);
    return nextCallback++;
  };
  HTMLVideoElement.prototype.cancelVideoFrameCallback = function (id) {
    state(this).callbacks.delete(id);
  };

  // Whatever a script draws a video with takes the picture that it shows.
  const drawable = (source) => (source instanceof HTMLVideoElement && state(source).frame) || source;
  function drawing(prototype, names, replaced) {
    for (const name of names) {
      const original = prototype?.[name];
      if (original)
        prototype[name] = function (...parts) {
          return original.apply(this, replaced(parts));
        };
    }
  }
  const first = ([source, ...rest]) => [drawable(source), ...rest];
  const last = (parts) => [...parts.slice(0, -1), drawable(parts.at(-1))];
  drawing(CanvasRenderingContext2D.prototype, ["drawImage", "createPattern"], first);
  drawing(window.OffscreenCanvasRenderingContext2D?.prototype, ["drawImage", "createPattern"], first);
  drawing(window, ["createImageBitmap"], first);
  drawing(window.WebGLRenderingContext?.prototype, ["texImage2D", "texSubImage2D"], last);
  drawing(window.WebGL2RenderingContext?.prototype, ["texImage2D", "texSubImage2D", "texImage3D", "texSubImage3D"], last);
  drawing(window.GPUQueue?.prototype, ["copyExternalImageToTexture"], ([copied, ...rest]) => [
    { ...copied, source: drawable(copied?.source) },
    ...rest,
  ]);
  if (window.VideoFrame)
    window.VideoFrame = new Proxy(window.VideoFrame, {
      construct: (target, [source, options], self) => {
        const shown = drawable(source);
        // An image, unlike a video, has no time of its own.
        const timed = shown === source ? options : { timestamp: source.currentTime * 1e6, ...options };
        return Reflect.construct(target, [shown, timed], self);
      },
    });

  // Nobody hears it, and one that runs keeps two threads busy for as long as the page is open. A page may resume it.
  for (const name of ["AudioContext", "webkitAudioContext"].filter((each) => each in window))
    window[name] = new Proxy(window[name], {
      construct(target, parts, self) {
        const context = Reflect.construct(target, parts, self);
        context.suspend();
        return context;
      },
    });

  window.__hfMedia = {
    // `frames`: render id -> URL of the picture, seconds into the source.
    show: (frames) =>
      Promise.all(
        Object.entries(frames).flatMap(([id, [url, mediaTime]]) =>
          Array.from(document.querySelectorAll(`video[data-hf-render-id="${CSS.escape(id)}"]`), (element) =>
            showFrame(element, url, mediaTime),
          ),
        ),
      ),

    know(more) {
      Object.assign(facts, more);
      for (const element of document.querySelectorAll("video, audio")) {
        adopt(element);
        if (!state(element).announced) announceLoaded(element);
      }
    },

    factsOf,
    sourceOf,
  };
})();
