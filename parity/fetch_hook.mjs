// Loaded into the reference's Node process: what it fetches from another machine is asked of the stand-in first.
const network = globalThis.fetch;

globalThis.fetch = async (input, options) => {
  const url = new URL(input instanceof Request ? input.url : `${input}`);
  if (url.protocol !== "https:") return network(input, options);
  const local = await network(process.env.PARITY_CDN + encodeURIComponent(url.href));
  return local.ok ? local : network(input, options);
};
