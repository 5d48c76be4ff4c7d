// What the ready page says about its sound; asked once, by the plan, and last: sampling moves the timelines.
// `root` is the id of the root composition, `duration` in seconds, `fps` how often volumes are sampled.
({ root, duration, fps }) => {
  const MAX_GAIN = 10 ** (12 / 20);
  const SAME_GAIN = 1e-4;
  const media = Array.from(document.querySelectorAll("audio[data-hf-render-id], video[data-hf-render-id]"));

  const clamped = (gain) => (Number.isFinite(gain) ? Math.max(0, Math.min(MAX_GAIN, gain)) : 1);
  const authoredGain = (element) => clamped(Number.parseFloat(element.getAttribute("data-volume") ?? "1"));
  const seconds = (element, name) => {
    const value = Number.parseFloat(element.getAttribute(name) ?? "");
    return Number.isFinite(value) && value > 0 ? value : 0;
  };

  // An id is unique in the file its author wrote: the group is the one of the member's own composition, or of the
  // nearest around it that has such a group.
  const groups = Array.from(document.querySelectorAll("hf-audio-group"));
  function groupOf(element) {
    const id = element.getAttribute("data-audio-group");
    const named = groups.filter((group) => id && group.id === id);
    for (let scope = element.closest("[data-composition-id]"); scope; scope = scope.parentElement?.closest("[data-composition-id]")) {
      const found = named.find((group) => scope.contains(group));
      if (found) return groups.indexOf(found);
    }
    return named.length ? groups.indexOf(named[0]) : null;
  }

  // The volume of every element that a timeline animates, as [seconds, gain] at each moment; null where it stays.
  function sampledGains() {
    const tweensOf = (timeline) => timeline?.getChildren?.(true, true, false) ?? [];
    const animates = (tween) => tween.targets?.().some((target) => media.includes(target));
    const animated = Object.entries(window.__timelines || {})
      .map(([id, timeline]) => ({ id, timeline, tweens: tweensOf(timeline).filter(animates), times: [] }))
      .filter(({ tweens }) => tweens.length)
      // As a seek of the page does it: the root's timeline first.
      .sort((a, b) => (b.id === root) - (a.id === root));
    const moving = media.filter((element) => animated.some(({ tweens }) => tweens.some((tween) => tween.targets().includes(element))));
    const moments = Array.from({ length: Math.ceil(duration * fps - 1e-6) }, (_, index) => index / fps).concat(duration);

    // The page runtime knows where a timeline stands at a moment, whatever hosts and rates are around it.
    const nested = animated.some(({ id }) => id !== root);
    for (const moment of moments) {
      if (nested) window.__player.renderSeek(moment);
      for (const { id, timeline, times } of animated)
        times.push(id === root ? Math.min(moment, timeline.totalDuration()) : timeline.totalTime());
    }

    // HTMLMediaElement.volume ends at 1, and data-volume does not. Tweens read again where they start from.
    for (const element of moving) Object.defineProperty(element, "volume", { value: 1, writable: true, configurable: true });
    for (const { timeline, tweens } of animated) {
      timeline.totalTime(0, true);
      for (const tween of tweens) tween.invalidate();
    }
    for (const element of moving) element.volume = authoredGain(element);
    const gains = new Map(moving.map((element) => [element, []]));
    moments.forEach((moment, index) => {
      for (const { timeline, times } of animated) timeline.totalTime(times[index], true);
      for (const [element, points] of gains) points.push([moment, clamped(Number(element.volume))]);
    });
    return gains;
  }

  const gains = sampledGains();
  const changing = (element) => gains.get(element)?.some(([, gain]) => Math.abs(gain - authoredGain(element)) > SAME_GAIN);
  const flat = (points, at) => at > 0 && points[at - 1][1] === points[at][1] && points[at + 1]?.[1] === points[at][1];

  return {
    media: media.map((element) => ({
      renderId: element.getAttribute("data-hf-render-id"),
      automation: element.getAttribute("data-automation"),
      effects: element.getAttribute("data-fx-chain"),
      fadeIn: seconds(element, "data-fade-in"),
      fadeOut: seconds(element, "data-fade-out"),
      group: groupOf(element),
      gains: changing(element) ? gains.get(element).filter((_, at, points) => !flat(points, at)) : null,
    })),
    groups: groups.map((group) => ({
      id: group.id,
      volume: authoredGain(group),
      hidden: group.closest("[data-hidden]") !== null,
      automation: group.getAttribute("data-automation"),
      effects: group.getAttribute("data-fx-chain"),
    })),
    master: { effects: document.querySelector(`[data-composition-id="${CSS.escape(root)}"]`)?.getAttribute("data-fx-chain") ?? null },
  };
}
