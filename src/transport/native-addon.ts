import { createRequire } from 'node:module';
import { messageOf } from '../errors.ts';

/** What the C++ addon offers. */
export interface NativeAddon {
  /**
   * Gives zero-filled memory that begins at a page and shares no page with anything else.
   *
   * Ownership: the memory goes back to the system when the `ArrayBuffer` is collected.
   * Failure: throws a `TypeError` or `RangeError` unless `bytes` is a whole number from 1 to 2³⁰,
   * and an `Error` when there is no memory.
   */
  allocateSlab(bytes: number): ArrayBuffer;
  isPageAligned(memory: ArrayBuffer): boolean;
}

export type NativeAddonResult = { readonly addon: NativeAddon } | { readonly reason: string };

/** The same place from `src/transport/` and from `dist/transport/`. */
const addonPath = '../../build/Release/zerocast.node';

const functionNames = ['allocateSlab', 'isPageAligned'] as const;

/**
 * Loads the native addon, or says in one sentence why it cannot be used.
 *
 * `ZEROCAST_NATIVE=off` in the environment switches the addon off.
 *
 * Failure: never throws; without the addon everything works by plain JavaScript.
 */
export function loadNativeAddon(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): NativeAddonResult {
  if (environment.ZEROCAST_NATIVE === 'off') {
    return { reason: 'it is switched off by ZEROCAST_NATIVE=off' };
  }
  return loadAddonFrom(addonPath);
}

/** Loads one file as the addon; `path` is absolute or relative to this module. */
export function loadAddonFrom(path: string): NativeAddonResult {
  let loaded: unknown;
  try {
    loaded = createRequire(import.meta.url)(path);
  } catch (error) {
    return { reason: reasonOf(error) };
  }
  const missing = functionNames.find((name) => !hasFunction(loaded, name));
  if (missing) return { reason: `it was built from another version: it has no ${missing}` };
  return { addon: loaded as NativeAddon };
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'MODULE_NOT_FOUND') {
    return 'it is not built: run "node scripts/install-addon.mjs" to build it or to see why not';
  }
  // Only the first line: the rest of a loader's message is a stack of paths.
  return `it cannot be loaded: ${messageOf(error).split('\n')[0]}`;
}

function hasFunction(loaded: unknown, name: string): boolean {
  return (
    typeof loaded === 'object' &&
    loaded !== null &&
    typeof (loaded as Record<string, unknown>)[name] === 'function'
  );
}
