// Lets the scripts of a mounted composition believe the page is theirs alone.
//
// window.__hfScopeFor(identity) gives the names a script may reach the page by: document, gsap and window
// that find only what is inside the composition's host, and the registries under the id it has on this page.
// identity = {runtimeId, authoredIds, replacedId, rootId}: the id on this page; the ids its author may have
// written; which of them the runtime id replaced on the host; the DOM id of its root before it was mounted.
(() => {
  "use strict";
  if (window.__hfScopeFor) return;

  const real = document;
  const PAGE_SELECTOR = /^(?:html|body|:root)$/i;
  const TARGET_METHODS = new Set([
    "to", "from", "fromTo", "set", "quickTo", "quickSetter", "killTweensOf", "getTweensOf", "isTweening",
  ]);
  const TIMELINE_METHODS = ["to", "from", "fromTo", "set", "killTweensOf"];
  const REGEXP_SYNTAX = /[.*+?^${}()|[\]\\]/g;

  // Native methods refuse any other `this`. Classes, and functions that carry properties, must stay themselves.
  const bound = (value, owner) =>
    typeof value === "function" && value.prototype === undefined && Object.keys(value).length === 0
      ? value.bind(owner)
      : value;
  // A document has methods only, and some of them may be page scripts' own.
  const method = (value, owner) => (typeof value === "function" ? value.bind(owner) : value);

  // A proxy that answers `special` names itself and passes everything else on, with the right `this`.
  const facade = (target, special, assign, own = bound) =>
    new Proxy(target, {
      get: (owner, name) =>
        Object.hasOwn(special, name) ? special[name]() : own(Reflect.get(owner, name, owner), owner),
      set: (owner, name, value) =>
        assign?.(name, value) ? true : Reflect.set(owner, name, value, owner),
    });

  const attribute = (name, value) => `[${name}="${CSS.escape(value)}"]`;

  function selectorReader({ runtimeId, replacedId, rootId }) {
    const patterns = [];
    const host = attribute("data-composition-id", runtimeId);
    // Strings and, below, attribute tests are read over, so that a name inside them is not taken for a selector.
    const quoted = `"(?:\\\\.|[^"\\\\])*"|'(?:\\\\.|[^'\\\\])*'`;
    if (replacedId) {
      const id = replacedId.replace(REGEXP_SYNTAX, "\\$&");
      const composition = `\\[\\s*data-composition-id\\s*=\\s*(?:"${id}"|'${id}'|${id})\\s*\\]`;
      const timing = `\\[\\s*data-(?:start|duration)\\s*=\\s*(?:${quoted}|[^\\]\\s]*)\\s*\\]`;
      patterns.push([new RegExp(`(?:${timing})*${composition}(?:${timing})*`, "g"), host]);
    }
    if (rootId) {
      const spellings = [...new Set([CSS.escape(rootId), rootId])].map((id) => id.replace(REGEXP_SYNTAX, "\\$&"));
      patterns.push([
        new RegExp(`(${quoted}|\\[[^\\]]*\\])|#(?:${spellings.join("|")})(?![\\w\\\\-]|[^\\x00-\\x7f])`, "g"),
        attribute("data-hf-authored-id", rootId),
      ]);
    }
    return (selector) =>
      patterns.reduce(
        (text, [pattern, replacement]) =>
          text.replace(pattern, (match, skipped) => (match === skipped ? match : replacement)),
        selector,
      );
  }

  function scopeFor(identity) {
    const { runtimeId, authoredIds } = identity;
    const read = selectorReader(identity);
    const host = () => real.querySelector(attribute("data-composition-id", runtimeId)) ?? real.documentElement;

    // The composition's own page: what `body` means inside it.
    const box = () => host().querySelector(":scope > [data-hf-inner-root]") ?? host();

    const queryAll = (selector) => {
      const text = `${selector}`;
      if (PAGE_SELECTOR.test(text.trim())) return [box()];
      if (text.trim() === "head") return [real.head];
      const within = host();
      return [...real.querySelectorAll(read(text))].filter((node) => within.contains(node));
    };
    const query = (selector) => queryAll(selector)[0] ?? null;
    const byId = (id) =>
      host().querySelector(`${attribute("id", `${id}`)}, ${attribute("data-hf-authored-id", `${id}`)}`) ??
      (host().id === `${id}` ? host() : null);

    const listed = (nodes) => Object.defineProperty(nodes, "item", { value: (index) => nodes[index] ?? null });
    const scopedDocument = facade(
      real,
      {
        querySelector: () => query,
        querySelectorAll: () => (selector) => listed(queryAll(selector)),
        getElementById: () => byId,
        getElementsByClassName: () => (names) => host().getElementsByClassName(names),
        defaultView: () => scopedWindow,
      },
      undefined,
      method,
    );

    // GSAP looks strings up in the whole page, so it gets elements instead.
    const targets = (value) => {
      if (typeof value === "string") return queryAll(value);
      return Array.isArray(value) ? value.flatMap(targets) : value;
    };
    const aimed = (owner, name) =>
      (value, ...rest) => owner[name](targets(value), ...rest);
    const scopedTimeline = (timeline) => {
      for (const name of TIMELINE_METHODS) {
        const original = timeline[name];
        if (typeof original !== "function") continue;
        Object.defineProperty(timeline, name, {
          value: (value, ...rest) => original.call(timeline, targets(value), ...rest),
          configurable: true,
          writable: true,
        });
      }
      return timeline;
    };
    const scopedUtils = (utils) =>
      facade(utils, {
        toArray: () => (value, ...rest) => utils.toArray(targets(value), ...rest),
        selector: () => (base) => {
          const start = typeof base === "string" ? query(base) : (base?.current ?? base ?? null);
          return (selector) => queryAll(selector).filter((node) => start === null || start.contains(node));
        },
      });
    const scopedGsap = (gsap) =>
      new Proxy(gsap, {
        get: (owner, name) => {
          if (name === "timeline") return (...options) => scopedTimeline(owner.timeline(...options));
          if (name === "utils" && owner.utils) return scopedUtils(owner.utils);
          if (TARGET_METHODS.has(name) && typeof owner[name] === "function") return aimed(owner, name);
          if (name === "getProperty") {
            return (value, ...rest) => owner.getProperty(typeof value === "string" ? query(value) : value, ...rest);
          }
          return bound(Reflect.get(owner, name, owner), owner);
        },
        set: (owner, name, value) => Reflect.set(owner, name, value, owner),
      });

    // A script registers its timeline under the id it was written with. The page knows that composition by its
    // runtime id; the written one is published too as long as nobody else has it.
    const registryOf = (registry) =>
      new Proxy(registry, {
        get: (owner, name) => owner[authoredIds.includes(name) ? runtimeId : name],
        has: (owner, name) => (authoredIds.includes(name) ? runtimeId : name) in owner,
        set: (owner, name, value) => {
          if (!authoredIds.includes(name)) return Reflect.set(owner, name, value, owner);
          const own = owner[name] === undefined || owner[name] === owner[runtimeId];
          owner[runtimeId] = value;
          if (own) owner[name] = value;
          return true;
        },
      });
    let registry;
    let registered;
    const timelines = () => {
      window.__timelines ??= {};
      if (registered !== window.__timelines) {
        registered = window.__timelines;
        registry = registryOf(registered);
      }
      return registry;
    };

    const gsapNow = () => (window.gsap ? scopedGsap(window.gsap) : window.gsap);
    const hyperframes = () => ({
      ...window.__hyperframes,
      getVariables: () => ({ ...window.__hfVariablesByComp?.[runtimeId] }),
    });
    const itself = () => scopedWindow;
    const scopedWindow = facade(
      window,
      {
        window: itself,
        self: itself,
        globalThis: itself,
        document: () => scopedDocument,
        gsap: gsapNow,
        __timelines: timelines,
        __hyperframes: hyperframes,
      },
      (name, value) => {
        // `window.__timelines = window.__timelines || {}` must not put the proxy in the registry's place.
        if (name === "__timelines") return value === registry;
        return name === "__hyperframes" || (name === "gsap" && window.gsap && value !== window.gsap);
      },
    );

    return {
      document: scopedDocument,
      window: scopedWindow,
      get gsap() { return gsapNow(); },
      get __timelines() { return timelines(); },
      get __hyperframes() { return hyperframes(); },
    };
  }

  const scopes = new Map();
  window.__hfScopeFor = (identity) => {
    if (!scopes.has(identity.runtimeId)) scopes.set(identity.runtimeId, scopeFor(identity));
    return scopes.get(identity.runtimeId);
  };

  window.__hfRunScoped = (identity, script) => {
    try {
      const scope = window.__hfScopeFor(identity);
      script.call(
        window, scope.document, scope.gsap, scope.window, scope.window, scope.window,
        scope.__timelines, scope.__hyperframes,
      );
    } catch (error) {
      console.error(`[HyperFrames] composition script failed: ${identity.runtimeId}:`, error);
    }
  };
})();
