// A program that plays its own audio to all players in the network: node test/example/own-audio.mjs
// Build the server first (npm run build). PORT, CONTROL_PORT and SECONDS may be given as environment.
import { createServer } from 'zerocast';

const rateHz = 48_000;
const channels = 2;
const blockFrames = 960;
const level = 6000;

/** A melody without end: 16-bit stereo PCM, produced as fast as the server wants it. */
async function* melody() {
  const notesHz = [262, 330, 392, 523];
  for (let block = 0; ; block += 1) {
    const pcm = new Int16Array(blockFrames * channels);
    const frequency = notesHz[Math.floor(block / 25) % notesHz.length];
    for (let frame = 0; frame < blockFrames; frame += 1) {
      const seconds = (block * blockFrames + frame) / rateHz;
      pcm.fill(
        level * Math.sin(2 * Math.PI * frequency * seconds),
        frame * channels,
        (frame + 1) * channels,
      );
    }
    yield new Uint8Array(pcm.buffer);
  }
}

const server = createServer({
  stream: { codec: 'pcm', buffer: 500 },
  tcpStreaming: { port: Number(process.env.PORT ?? 1704) },
  tcpControl: { port: Number(process.env.CONTROL_PORT ?? 1705) },
  http: { enabled: false },
  server: { mdnsEnabled: process.env.PORT === undefined },
});

server.on('clientConnected', ({ id, hostName }) => console.log(`${hostName} (${id}) plays`));
server.on('clientDisconnected', ({ id }) => console.log(`${id} is gone`));
server.on('streamChanged', ({ id, state }) => console.log(`stream ${id} is ${state}`));

await server.listen();
await server.addStream({
  name: 'melody',
  sampleFormat: `${rateHz}:16:${channels}`,
  input: melody(),
});
console.log(`players connect to port ${server.ports.streaming}`);

const timer = setTimeout(() => stop(), Number(process.env.SECONDS ?? 3600) * 1000);

async function stop() {
  clearTimeout(timer);
  for (const { id, volume } of server.clients) console.log(`${id} was at ${volume} %`);
  await server.close();
  console.log('closed');
}

process.once('SIGINT', stop);
process.once('SIGTERM', stop);
