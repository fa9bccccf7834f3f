import { flacLibraryInUse } from '../audio/encoders/flac-encoder.ts';
import type { SystemContext } from './context.ts';
import { type Check, note, ok } from './finding.ts';

const advice =
  'install libflac14, libflac12 or libflac8 (Debian, Ubuntu), flac-libs (Fedora), libflac (Alpine) ' +
  'or flac (Homebrew): it needs a fraction of the processor';

/** Which library encodes FLAC; streams are the same by each. */
export function flacCheck({ native }: SystemContext): Check {
  return {
    name: 'flac',
    run: () => {
      const { name, reason } = flacLibraryInUse(native);
      if (reason === undefined) return [ok(`flac is encoded by ${name}`)];
      const text = `flac is encoded by ${name}, as the system's library is not used: ${reason}`;
      return [note(text, 'reason' in native ? 'see "native addon"' : advice)];
    },
  };
}
