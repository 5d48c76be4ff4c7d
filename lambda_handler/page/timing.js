// Where elements stand in time once the page is ready (composition contract, section 1.3): the windows of video and
// audio, and the starts of everything else.
(() => {
  const { factsOf, sourceOf } = window.__hfMedia;

  const number = (element, ...names) => {
    for (const name of names) {
      const text = element.getAttribute(name)?.trim();
      if (text && Number.isFinite(Number(text))) return Number(text);
    }
    return null;
  };

  const compositionOf = (element) => element?.closest("[data-composition-id]") ?? null;
  const root = () => document.querySelector("[data-composition-id][data-root='true']") ?? document.querySelector("[data-composition-id]");

  // References may go in circles: whoever is asked again on the way counts as 0.
  const asked = new Set();
  function startOf(element) {
    if (!element || element === root() || asked.has(element)) return 0;
    asked.add(element);
    try {
      return resolvedStart(element);
    } finally {
      asked.delete(element);
    }
  }

  function resolvedStart(element) {
    if (element instanceof HTMLMediaElement && window.__hfResolveMediaStartSeconds)
      return window.__hfResolveMediaStartSeconds(element);
    const parent = startOf(compositionOf(element.parentElement));
    const written = element.getAttribute("data-start")?.trim();
    if (!written) return parent;
    const seconds = number(element, "data-start");
    if (seconds !== null) return Math.max(0, parent + Math.max(0, seconds));
    const [, id, sign, offset] = /^([\w.:-]+?)(?:\s*([+-])\s*([\d.]+))?$/.exec(written) ?? [];
    const target = id && (document.getElementById(id) ?? document.querySelector(`[data-composition-id="${CSS.escape(id)}"]`));
    if (!target) return 0;
    const shift = offset ? Number(offset) * (sign === "-" ? -1 : 1) : 0;
    return Math.max(0, startOf(target) + (durationOf(target) ?? 0) + shift);
  }

  function durationOf(element) {
    const written = number(element, "data-duration", "data-hf-authored-duration");
    if (written > 0) return written;
    const end = number(element, "data-end", "data-hf-authored-end");
    if (end !== null) {
      // Both count from the same zero where both are numbers; a reference is a moment of the whole video.
      const length = end - (number(element, "data-start") ?? startOf(element));
      if (length > 0) return length;
    }
    if (element instanceof HTMLMediaElement) return naturalOf(element);
    const seconds = Number(window.__timelines?.[element.getAttribute("data-composition-id")]?.duration?.());
    return seconds > 0 ? seconds : null;
  }

  const mediaStartOf = (element) => {
    for (const name of ["data-playback-start", "data-media-start"]) {
      const seconds = number(element, name);
      if (seconds !== null && seconds >= 0) return seconds;
    }
    return 0;
  };

  const MIN_RATE = 0.1;
  const MAX_RATE = 10;
  function rateOf(element) {
    const written = Number.parseFloat(element.getAttribute("data-playback-rate") ?? "");
    const rate = written > 0 ? written : element.defaultPlaybackRate;
    return rate > 0 ? Math.max(MIN_RATE, Math.min(MAX_RATE, rate)) : 1;
  }

  function naturalOf(element) {
    const known = factsOf(element);
    return known ? Math.max(0, known.duration - mediaStartOf(element)) / rateOf(element) : null;
  }

  function endOf(element, start) {
    const duration = durationOf(element);
    const heard = element instanceof HTMLAudioElement && !element.loop ? naturalOf(element) : null;
    let end = start + Math.min(duration ?? Infinity, heard ?? Infinity);
    for (let host = element.parentElement; host && host !== root(); host = host.parentElement) {
      if (!host.hasAttribute("data-start") && !host.hasAttribute("data-composition-id")) continue;
      const length = durationOf(host);
      if (length) end = Math.min(end, startOf(host) + length);
    }
    return Number.isFinite(end) ? end : null;
  }

  // Whether an automation lane changes the speed while the clip runs.
  function isRamped(element) {
    try {
      return Boolean(JSON.parse(element.getAttribute("data-automation") ?? "{}").lanes?.some((lane) => lane.target === "rate"));
    } catch {
      return false;
    }
  }

  const asAuthored = { true: true, false: false };

  // A sound that a script has put into the page is heard too; it has no picture, so no chunk has to know it.
  function nameMadeSounds() {
    for (const element of document.querySelectorAll("audio[data-start]:not([data-hf-render-id])")) {
      const wanted = element.id || "hf-audio";
      let name = wanted;
      for (let number = 2; document.querySelector(`[data-hf-render-id="${CSS.escape(name)}"]`); number++)
        name = `${wanted}__hf${number}`;
      element.setAttribute("data-hf-render-id", name);
    }
  }

  window.__hfTiming = {
    startOf,

    // The videos that a script has put into the page: how each can be told from others.
    madeVideos: () =>
      Array.from(document.querySelectorAll("video:not([data-hf-render-id])"))
        .filter(sourceOf)
        .map((video) => `<video${video.id && ` id="${video.id}"`} src="${sourceOf(video).slice(0, 200)}">`),

    clips() {
      nameMadeSounds();
      return Array.from(document.querySelectorAll("video[data-hf-render-id], audio[data-hf-render-id]"), (element) => {
        const start = startOf(element);
        return {
          renderId: element.getAttribute("data-hf-render-id"),
          tag: element.localName,
          source: sourceOf(element),
          start,
          end: endOf(element, start),
          mediaStart: mediaStartOf(element),
          rate: rateOf(element),
          ramped: isRamped(element),
          loop: element.loop,
          muted: element.defaultMuted,
          hidden: element.closest("[data-hidden]") !== null,
          hasAudio: asAuthored[element.getAttribute("data-has-audio")] ?? null,
          volume: Math.max(0, number(element, "data-volume") ?? 1),
        };
      });
    },
  };
})();
