// Shows what a stream plays, when it is heard: node test/example/level-meter.mjs [stream] [host:port]
// It listens along by a tap (docs/protocol.md, 11.1): 25 rows of 80 mel bands a second, in decibels.
import { WebSocket } from 'ws';

const [stream = 'default', address = '127.0.0.1:1780'] = process.argv.slice(2);
const headers = process.env.LOGIN
  ? { Authorization: `Basic ${Buffer.from(process.env.LOGIN).toString('base64')}` }
  : {};
const url = `ws://${address}/streams/${encodeURIComponent(stream)}/tap?as=mel&preset=display`;
const tap = new WebSocket(url, { headers });

const nowUs = () => performance.now() * 1000;
/** What to add to our clock for that of the server, once it has told its own. */
let offsetUs;
let format;

function show(row) {
  let loudest = 0;
  for (const [band, level] of row.entries()) if (level > row[loudest]) loudest = band;
  const level = Math.max(-60, row[loudest]);
  const bar = '#'.repeat(Math.round(60 + level)).padEnd(60);
  console.log(`${bar} ${level.toFixed(1)} dB in band ${loudest} of ${row.length}`);
}

tap.on('open', () => tap.send(JSON.stringify({ time: nowUs() })));
tap.on('message', (data, isBinary) => {
  if (!isBinary) {
    const message = JSON.parse(data);
    if (message.as) format = message;
    // Half of the way there and back lies behind the moment at which the server looked.
    if (message.time) offsetUs = message.serverUs - (message.time + nowUs()) / 2;
    if (message.lost) console.log(`${message.lost.count} rows were lost: this program is too slow`);
    return;
  }
  if (offsetUs === undefined) return;
  const rows = data.readUInt32LE(4);
  const heardUs = data.readDoubleLE(8);
  // A copy is aligned, as float32 has to be.
  const levels = new Float32Array(new Uint8Array(data.subarray(format.headerBytes)).buffer);
  for (let index = 0; index < rows; index += 1) {
    const row = levels.subarray(index * format.bands, (index + 1) * format.bands);
    const atUs = heardUs + (index * format.hop * 1e6) / format.rate;
    setTimeout(() => show(row), (atUs - offsetUs - nowUs()) / 1000);
  }
});
tap.on('unexpected-response', async (_, response) => {
  for await (const text of response) console.error(String(text));
  process.exitCode = 1;
});
tap.on('close', (code, reason) => console.log(`the tap has ended: ${reason || code}`));
tap.on('error', (error) => console.error(error.message));
process.once('SIGINT', () => tap.close());
process.once('SIGTERM', () => tap.close());
