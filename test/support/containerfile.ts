import { readFileSync } from 'node:fs';

/** One line of a Containerfile, for example `COPY`, `--from=builder /build/dist dist`. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** From one `FROM` to the next. */
export interface Stage {
  /** The name after `AS`, if it has one. */
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export interface Copy {
  /** The stage that the files come from; absent: from the folder of the sources. */
  readonly from: string | undefined;
  readonly owner: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

/** Reads what our own file uses of the language, and throws on anything else. */
export function readContainerfile(file: string): Stage[] {
  const lines = readFileSync(file, 'utf8')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const match = /^([A-Z]+) (.+)$/.exec(line);
    if (!match) throw new Error(`${file}: no instruction: ${line}`);
    const [, name = '', text = ''] = match;
    if (!known.has(name)) throw new Error(`${file}: ${name} is not known to this test`);
    if (name === 'FROM') stages.push({ name: / AS (\S+)$/.exec(text)?.[1], instructions: [] });
    else stages.at(-1)!.instructions.push({ name, text });
  }
  return stages;
}

const known = new Set(
  'FROM RUN WORKDIR COPY ENV USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(' '),
);

/** The texts of all instructions of a kind. */
export function textsOf(stage: Stage, name: string): string[] {
  return stage.instructions.filter((line) => line.name === name).map(({ text }) => text);
}

export function copiesOf(stage: Stage): Copy[] {
  return textsOf(stage, 'COPY').map((text) => {
    const words = text.split(/\s+/);
    const paths = words.filter((word) => !word.startsWith('--'));
    const option = (name: string) =>
      words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
    return {
      from: option('from'),
      owner: option('chown'),
      sources: paths.slice(0, -1),
      target: paths.at(-1)!,
    };
  });
}

/** A command in its JSON form. */
export function commandOf(stage: Stage, name: string): string[] {
  const text = textsOf(stage, name).at(-1) ?? '';
  const json = /\[.*\]$/.exec(text)?.[0];
  if (!json) throw new Error(`${name} is not written as a JSON list`);
  return JSON.parse(json);
}
