import { scalar } from './setting.ts';
import { anyText, integer, truth } from './value-parser.ts';

/** The section that concerns the library of sounds. */
export const clipSettings = {
  clips: {
    folder: scalar({
      default: '',
      parser: anyText,
      doc: 'Folder of the library of sounds; empty for the folder clips in that of the data.',
    }),
    max_clip_size: scalar({
      isLive: true,
      default: '32',
      parser: integer({ min: 1, max: 65_536, unit: 'MiB' }),
      doc: 'Largest clip that is taken into the library.',
    }),
    max_clips: scalar({
      isLive: true,
      default: '500',
      parser: integer({ min: 1, max: 10_000 }),
      doc: 'Clips in the library. One more is refused.',
    }),
    max_size: scalar({
      isLive: true,
      default: '512',
      parser: integer({ min: 1, max: 1_048_576, unit: 'MiB' }),
      doc: 'What all clips together may have. A clip beyond it is refused.',
    }),
    zero_copy: scalar({
      default: 'true',
      parser: truth,
      doc:
        'Whether files are copied into the library within the kernel, where that is possible: by ' +
        'shared blocks, copy_file_range or sendfile.',
    }),
    zero_copy_min_size: scalar({
      default: '10',
      parser: integer({ min: 0, max: 65_536, unit: 'MiB' }),
      doc: 'Smaller files are read and written.',
    }),
    zero_copy_verify: scalar({
      default: 'false',
      parser: truth,
      doc:
        'Whether a copy and its source are read again and compared by SHA-256; their sizes are ' +
        'compared in any case.',
    }),
    zero_copy_chunk_size: scalar({
      default: '64',
      parser: integer({ min: 1, max: 1024, unit: 'MiB' }),
      doc: 'The most that is copied by one call.',
    }),
  },
} as const;
