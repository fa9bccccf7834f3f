import { flacLibraryInUse } from '../audio/encoders/flac-encoder.ts';
import { type EncoderKind, warmUpEncoders } from '../audio/encoders/warm-up.ts';
import { SampleFormat } from '../audio/sample-format.ts';
import { parseStreamOptions, type StreamDefaults } from '../audio/stream-options.ts';
import { SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { loadNativeAddon } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import { streamDefaults } from './streams.ts';

/** What a controller may add at any time. */
const usualKinds = [
  ['flac', '48000:16:2'],
  ['opus', '48000:16:2'],
] as const;

/** Makes those encoders fast that a server with these streams may need once it serves. */
export async function warmUp(
  config: Config,
  { addresses, logger }: { readonly addresses: readonly string[]; readonly logger: Logger },
): Promise<void> {
  tellLibrary(logger);
  const defaults = streamDefaults(config);
  await warmUpEncoders([
    ...usualKinds.map(([codec, format]) => ({ codec, format: SampleFormat.parse(format) })),
    defaults,
    ...addresses.flatMap((address) => kindOf(address, defaults)),
  ]);
}

function tellLibrary(logger: Logger): void {
  const { name: library, reason } = flacLibraryInUse(loadNativeAddon());
  if (reason === undefined) logger.info('flac encoder', { library });
  else logger.notice("flac encoder is not the system's, which is faster", { library, reason });
}

/** Nothing for an address with a fault, which opening the stream will tell. */
function kindOf(address: string, defaults: StreamDefaults): EncoderKind[] {
  try {
    return [parseStreamOptions(address, defaults)];
  } catch (error) {
    if (error instanceof SourceError) return [];
    throw error;
  }
}
