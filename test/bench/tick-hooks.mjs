// Has each module of the server that declares one of these classes show it to `tick-observer.mjs`.
let classNames = [];

export function initialize(names) {
  classNames = names;
}

export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (loaded.format !== 'module' || !loaded.source) return loaded;
  const text = Buffer.from(loaded.source).toString();
  const shows = classNames
    .filter((name) => new RegExp(`\\b(?:export class ${name}|var ${name} ?= ?class)\\b`).test(text))
    .map((name) => `globalThis.observeTicks('${name}', ${name});`);
  return { ...loaded, source: [text, ...shows].join('\n') };
}
