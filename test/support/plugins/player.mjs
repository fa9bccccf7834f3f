#!/usr/bin/env node
// A control script that does what requests tell it to: SetProperty names what it shall do.
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const record = process.argv.find((argument) => argument.startsWith('--record='))?.slice(9);
const write = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }));

const deeds = {
  write: (text) => process.stdout.write(text),
  say: (text) => process.stderr.write(text),
  exit: (code) => process.exit(code),
};

const answers = {
  'Plugin.Stream.Player.GetProperties': () => ({
    result: { canControl: true, canPlay: true, metadata: { title: 'first' } },
  }),
  'Plugin.Stream.Player.Control': ({ command }) => {
    if (command === 'be silent') return undefined;
    if (command === 'fail') return { error: { code: 42, message: 'broken' } };
    if (command === 'refuse') return { error: { code: 6, message: 'no', data: 'a live stream' } };
    return { result: 'ok' };
  },
  'Plugin.Stream.Player.SetProperty': (params) => {
    for (const [deed, value] of Object.entries(params)) deeds[deed]?.(value);
    return { result: 'ok' };
  },
};

if (record) appendFileSync(record, `${JSON.stringify(process.argv.slice(2))}\n`);
createInterface({ input: process.stdin }).on('line', (line) => {
  if (record) appendFileSync(record, `${line}\n`);
  const { id, method, params } = JSON.parse(line);
  const answer = answers[method](params);
  if (answer) write({ id, ...answer });
});
write({ method: 'Plugin.Stream.Ready' });
