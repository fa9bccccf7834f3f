// Saves one state after the other until it is killed: node save-in-a-loop.mjs MODULE PATH
// MODULE is src/base/files/atomic-file.ts as JavaScript. In every state all clients have one name.

const [, , modulePath, path] = process.argv;
const { writeFileAtomically } = await import(modulePath);
const clientsPerState = 500;

for (let state = 0; ; state += 1) {
  await writeFileAtomically(path, textOf(state));
  if (state === 0) process.stdout.write('ready\n');
}

/** In several pieces, so that a process can be killed between them. */
function* textOf(state) {
  yield '{"ConfigVersion":2,"Groups":[{"id":"g","clients":[';
  for (let client = 0; client < clientsPerState; client += 1) {
    const json = JSON.stringify({ id: `client ${client}`, config: { name: `state ${state}` } });
    yield client === 0 ? json : `,${json}`;
  }
  yield ']}]}';
}
