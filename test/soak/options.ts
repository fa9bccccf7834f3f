import { parseArgs } from 'node:util';

export const usage = `usage: scripts/soak [options]

Plays to many players, of whom some come and go, while controllers poll, change volumes, add and
remove streams, and a program that feeds a pipe is restarted. The exit status is 0 only when nobody
who stayed missed anything and no figure of the server has grown. Options:
  --minutes 30          how long
  --players 300         how many players; a fifth of them comes and goes
  --changes 120         how often a player comes or goes, per minute
  --announce-seconds 0  how often something is announced to some of them; 0: never
  --sample-seconds 5    how often the server is looked at
  --warm-up 0.2         share of the run that does not count for growth
  --rss-bound 4         MiB by which resident memory may grow, or 2 % of it when that is more
  --patient             10 s of buffer instead of 1 s, for a machine that has other work to do
  --seed 1              of everything that is random
  --server dist/main.js the server to test, for example that of another build
  --json FILE           writes every sample and every verdict
`;

export type SoakOptions = ReturnType<typeof parseOptions>;

/** Failure: throws when an option does not exist or has no possible value. */
export function parseOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      minutes: { type: 'string', default: '30' },
      players: { type: 'string', default: '300' },
      changes: { type: 'string', default: '120' },
      'announce-seconds': { type: 'string', default: '0' },
      'sample-seconds': { type: 'string', default: '5' },
      'warm-up': { type: 'string', default: '0.2' },
      'rss-bound': { type: 'string', default: '4' },
      patient: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      server: { type: 'string', default: 'dist/main.js' },
      json: { type: 'string' },
    },
  });
  type Name = Exclude<keyof typeof values, 'help' | 'patient' | 'json'>;
  const number = (name: Name, { least, most }: { least: number; most: number }) => {
    const value = Number(values[name]);
    if (values[name].trim() !== '' && value >= least && value <= most) return value;
    throw new Error(`--${name}: "${values[name]}" is no number from ${least} to ${most}`);
  };
  return {
    wantsHelp: values.help,
    minutes: number('minutes', { least: 0.1, most: 10_000 }),
    players: Math.round(number('players', { least: 5, most: 4000 })),
    changesPerMin: Math.round(number('changes', { least: 0, most: 60_000 })),
    announceMs: number('announce-seconds', { least: 0, most: 3600 }) * 1000,
    sampleMs: number('sample-seconds', { least: 0.1, most: 600 }) * 1000,
    warmUpShare: number('warm-up', { least: 0, most: 0.9 }),
    rssBoundMib: number('rss-bound', { least: 0.1, most: 10_000 }),
    isPatient: values.patient,
    seed: Math.round(number('seed', { least: 0, most: 10_000_000 })),
    server: values.server,
    json: values.json,
  };
}
