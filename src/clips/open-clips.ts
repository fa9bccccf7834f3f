import { join } from 'node:path';
import type { FileGate } from '../audio/sources/file-gate.ts';
import type { NativeAddon, NativeAddonResult } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import { openDsp } from '../dsp/dsp.ts';
import { ClipDecoder } from './clip-decoder.ts';
import { ClipLibrary } from './clip-library.ts';
import { ClipTransfers, type CopyProgress } from './clip-transfers.ts';
import { FileCopier } from './file-copier.ts';

const mebibyte = 1024 * 1024;
/** Longer clips can be kept, but not played: their samples would take too much memory. */
const maxSeconds = 600;

interface ClipsOptions {
  readonly settings: () => Config;
  /** Where the server keeps what outlives a restart; absent: nowhere. */
  readonly dataFolder: string | undefined;
  readonly native: NativeAddonResult;
  /** Which files a controller may have copied; absent: any. */
  readonly fileGate?: FileGate;
  /** Something in the library is different now. */
  readonly onChange?: () => void;
  /** How far a copy is, a few times a second. */
  readonly onProgress?: (progress: CopyProgress) => void;
}

/** All that clips need, loaded when the first one is asked for. */
export interface ClipParts {
  readonly library: ClipLibrary;
  readonly decoder: ClipDecoder;
  readonly copier: FileCopier;
  readonly transfers: ClipTransfers;
  close(): Promise<void>;
}

export function openClips(options: ClipsOptions): ClipParts {
  const { settings, dataFolder, native, onChange } = options;
  const { clips } = settings();
  const functions: Partial<NativeAddon> = 'addon' in native ? native.addon : {};
  const decoder = new ClipDecoder();
  const copier = new FileCopier(functions, () => ({
    zeroCopy: clips.zeroCopy,
    minBytes: clips.zeroCopyMinSize * mebibyte,
    verify: clips.zeroCopyVerify,
    chunkBytes: clips.zeroCopyChunkSize * mebibyte,
  }));
  const library = new ClipLibrary({
    folder: clips.folder || (dataFolder && join(dataFolder, 'clips')),
    decoder,
    copier,
    dsp: () => openDsp(native),
    lockFile: functions.lockFile,
    settings: () => {
      const { maxClipSize, maxClips, maxSize } = settings().clips;
      return {
        maxClipBytes: maxClipSize * mebibyte,
        maxClips,
        maxTotalBytes: maxSize * mebibyte,
        maxSeconds,
        rawFormat: settings().stream.sampleformat,
      };
    },
    ...(onChange && { onChange }),
  });
  const transfers = new ClipTransfers({ ...options, library });
  const close = async () => {
    await transfers.close();
    await decoder.close();
    await library.close();
  };
  return { library, decoder, copier, transfers, close };
}
