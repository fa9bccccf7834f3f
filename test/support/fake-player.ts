import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What every fake program begins with: it tells its arguments, and knows what it was given. */
const beginning = (folder: string, path: string) => `#!/bin/sh
D='${folder}'
starts=$(cat '${path}.starts' 2>/dev/null || echo 0)
starts=$((starts + 1))
for word in "$@"; do printf '%s\\0' "$word"; done > '${path}.arguments.tmp'
mv '${path}.arguments.tmp' "${path}.arguments-$starts"
hook=
for word in "$@"; do
  [ "$previous" = --onevent ] && hook=$word
  case $word in --metadata-pipename=*) pipe=\${word#*=} ;; esac
  previous=$word
done
# One event of librespot: NAME=value...
event() { env "$@" $hook; }
# One item of shairport-sync: type, code, data.
item() {
  printf '<item><type>%s</type><code>%s</code><length>%s</length>' "$(hex "$1")" "$(hex "$2")" "$(printf %s "$3" | wc -c)"
  [ -z "$3" ] || printf '\\n<data encoding="base64">\\n%s</data>' "$(printf %s "$3" | base64 -w0)"
  printf '</item>\\n'
}
hex() { printf %s "$1" | od -An -tx1 | tr -d ' \\n'; }
echo $starts > '${path}.starts'
`;

/** A program that stands for `librespot` or `shairport-sync`: a shell script with helpers of its own. */
export class FakePlayer {
  readonly path: string;

  /** `$D` in `body` is `folder`, `$starts` how often it was started, `$pipe` the metadata pipe. */
  constructor(folder: string, name: string, body: string) {
    this.path = join(folder, name);
    writeFileSync(this.path, `${beginning(folder, this.path)}${body}\n`);
    chmodSync(this.path, 0o755);
  }

  get starts(): number {
    const path = `${this.path}.starts`;
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
  }

  /** Of the start with that number. */
  arguments(start = 1): readonly string[] {
    return readFileSync(`${this.path}.arguments-${start}`, 'utf8').split('\0').slice(0, -1);
  }

  /** The value behind an option, or joined to it. */
  option(name: string, start = 1): string | undefined {
    const words = this.arguments(start);
    const joined = words.find((word) => word.startsWith(`${name}=`));
    return joined?.slice(name.length + 1) ?? words[words.indexOf(name) + 1];
  }
}
