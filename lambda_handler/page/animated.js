// Animated images (GIF, APNG, WebP, AVIF). The browser itself holds each at its first frame; an <img> shows the frame
// of the moment through its srcset, so that its src, and with it what style sheets select, stays as it was written.
// Which frame that is: composition contract, section 2.4.
(() => {
  const paths = new Set(window.__hfAnimatedImages || []);
  const { fps } = window.__HF_EXPORT_RENDER_SEEK_CONFIG;
  const animations = new Map();
  const shown = new WeakMap();
  // As browsers and ffmpeg both have it: a shorter frame was not meant.
  const SHORTEST_MS = 11;
  const USUAL_MS = 100;

  const pathOf = (image) => {
    try {
      return decodeURIComponent(new URL(image.getAttribute("src") ?? "", document.baseURI).pathname).slice(1);
    } catch {
      return "";
    }
  };

  // How often a GIF says it plays: 0 for ever, null where it does not say.
  function gifLoops(bytes) {
    const name = [..."NETSCAPE2.0"].map((letter) => letter.charCodeAt(0));
    for (let at = 0; at + 16 < bytes.length; at++)
      if (name.every((code, n) => bytes[at + n] === code)) return bytes[at + 13] | (bytes[at + 14] << 8);
    return null;
  }

  async function loaded(path) {
    const response = await fetch(`/${path.split("/").map(encodeURIComponent).join("/")}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const type = response.headers.get("content-type").split(";")[0].replace("image/apng", "image/png");
    const decoder = new ImageDecoder({ data: bytes, type, preferAnimation: true });
    await decoder.tracks.ready;
    await decoder.completed;
    const track = decoder.tracks.selectedTrack;
    if (!track || track.frameCount < 2) return null;
    const starts = [];
    let length = 0;
    for (let index = 0; index < track.frameCount; index++) {
      const { image } = await decoder.decode({ frameIndex: index });
      const duration = (image.duration ?? 0) / 1000;
      image.close();
      starts.push(length);
      length += duration < SHORTEST_MS ? USUAL_MS : duration;
    }
    const gif = type === "image/gif" ? gifLoops(bytes) : null;
    const repeated = track.repetitionCount === Infinity ? 0 : track.repetitionCount + 1;
    return { decoder, starts, length, plays: type === "image/gif" ? (gif ?? 1) : repeated, pictures: new Map() };
  }

  function animationOf(path) {
    if (!animations.has(path)) animations.set(path, loaded(path));
    return animations.get(path);
  }

  async function pictureOf(animation, index) {
    if (!animation.pictures.has(index)) {
      const { image } = await animation.decoder.decode({ frameIndex: index });
      const canvas = new OffscreenCanvas(image.displayWidth, image.displayHeight);
      canvas.getContext("2d").drawImage(image, 0, 0);
      image.close();
      animation.pictures.set(index, URL.createObjectURL(await canvas.convertToBlob({ type: "image/png" })));
    }
    return animation.pictures.get(index);
  }

  const LOOPS = { "": true, true: true, 1: true, yes: true, false: false, 0: false, no: false };

  function indexAt(image, animation, seconds) {
    const written = image.getAttribute("data-loop");
    const plays = LOOPS[written] === true ? 0 : LOOPS[written] === false ? Math.max(1, animation.plays) : animation.plays;
    // The last frame that has begun, as for videos; half a millisecond early counts.
    const position = Math.max(0, Math.floor((seconds - window.__hfTiming.startOf(image)) * fps + 1e-9));
    const moment = (position / fps) * 1000 + 0.499;
    if (plays && moment >= plays * animation.length) return animation.starts.length - 1;
    const inside = moment % animation.length;
    return animation.starts.findLastIndex((start) => start <= inside);
  }

  const moving = () => Array.from(document.images).filter((image) => paths.has(pathOf(image)));

  window.__hfAnimated = {
    // Once the page is ready. One with a start and no end is seen until the end.
    async ready() {
      for (const image of moving()) {
        const animation = await animationOf(pathOf(image));
        if (!animation || !image.hasAttribute("data-start")) continue;
        const left = window.__player.getDuration() - window.__hfTiming.startOf(image);
        if (!image.hasAttribute("data-duration") && !image.hasAttribute("data-end") && left > 0)
          image.setAttribute("data-duration", left);
      }
    },

    async show(seconds) {
      for (const image of moving()) {
        const animation = await animationOf(pathOf(image));
        if (!animation) continue;
        const picture = await pictureOf(animation, indexAt(image, animation, seconds));
        if (shown.get(image) === picture && image.srcset === picture) continue;
        shown.set(image, picture);
        image.srcset = picture;
        await image.decode();
      }
    },
  };
})();
