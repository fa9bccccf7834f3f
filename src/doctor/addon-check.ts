import { canSend } from '../base/native/native-addon.ts';
import type { SystemContext } from './context.ts';
import { type Check, note, ok, warning } from './finding.ts';

const build = 'install a C++ compiler, make and python3, then run: node scripts/install-addon.mjs';

/** Whether the fast way of sending is there; the server works without it. */
export function addonCheck({ native, environment }: SystemContext): Check {
  return {
    name: 'native addon',
    run: () => {
      if ('addon' in native) {
        if (canSend(native.addon)) return [ok('the native addon is loaded and sends the audio')];
        return [note('the native addon is loaded; sending by it is for Linux only')];
      }
      const text = `the JavaScript path is used, as the native addon is not: ${native.reason}`;
      if (environment.ZEROCAST_NATIVE === 'off') return [note(text, 'unset ZEROCAST_NATIVE')];
      return [warning(text, build)];
    },
  };
}
