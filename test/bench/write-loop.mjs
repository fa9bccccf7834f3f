// The barest Node server: one `socket.write(sharedBuffer)` per client, nothing kept.
//
//   node write-loop.mjs PORT CHUNKS_PER_WRITE CHUNK_US PAYLOAD_BYTES CODEC_HEADER
//
// Shows what Node itself needs per write. Speaks just enough of the protocol for the load client:
// ServerSettings, CodecHeader (its body is given in hexadecimal digits), chunks of a fixed size,
// Time replies.
import { createServer } from 'node:net';

const [port, chunksPerWrite, chunkUs, payloadBytes] = process.argv.slice(2, 6).map(Number);
const codecHeader = Buffer.from(process.argv[6], 'hex');
const headerBytes = 26;
const messageBytes = headerBytes + 12 + payloadBytes;
// The kernel takes a batch at once unless a client stalls; the load client never does.
const batches = 16;

const nowUs = () => Number(process.hrtime.bigint() / 1000n);

function writeTimeUs(target, offset, timeUs) {
  target.writeInt32LE(Math.floor(timeUs / 1e6), offset);
  target.writeInt32LE(((timeUs % 1e6) + 1e6) % 1e6, offset + 4);
}

function message({ type, id = 0, refersTo = 0, receivedUs = nowUs(), body }) {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16LE(type, 0);
  header.writeUInt16LE(id, 2);
  header.writeUInt16LE(refersTo, 4);
  writeTimeUs(header, 6, nowUs());
  writeTimeUs(header, 14, receivedUs);
  header.writeUInt32LE(body.length, 22);
  return Buffer.concat([header, body]);
}

function withLength(bytes) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const settings = withLength(
  Buffer.from('{"bufferMs":1000,"latency":0,"muted":false,"volume":100}'),
);

const streaming = new Set();

function answer(socket, request) {
  const receivedUs = nowUs();
  const type = request.readUInt16LE(0);
  const id = request.readUInt16LE(2);
  if (type === 5) {
    socket.write(message({ type: 3, refersTo: id, body: settings }));
    socket.write(message({ type: 1, body: codecHeader }));
    streaming.add(socket);
  } else if (type === 4) {
    const body = Buffer.alloc(8);
    writeTimeUs(body, 0, receivedUs - request.readInt32LE(6) * 1e6 - request.readInt32LE(10));
    socket.write(message({ type: 4, id, refersTo: id, receivedUs, body }));
  }
}

createServer({ noDelay: true }, (socket) => {
  // The load client sends each message whole and waits for the answer, so one read is one message.
  socket.on('data', (data) => answer(socket, data));
  socket.on('error', () => streaming.delete(socket));
  socket.on('close', () => streaming.delete(socket));
}).listen(port, '127.0.0.1');

const ring = Array.from({ length: batches }, () => Buffer.alloc(messageBytes * chunksPerWrite));
let publishedChunks = 0;
const startedUs = nowUs();

function fill(batch) {
  for (let i = 0; i < chunksPerWrite; i++) {
    const at = i * messageBytes;
    // As with a generated signal, the last chunk of a batch is new when it is published.
    const timestampUs = startedUs + (publishedChunks + 1) * chunkUs;
    batch.writeUInt16LE(2, at);
    batch.writeUInt32LE(12 + payloadBytes, at + 22);
    writeTimeUs(batch, at + headerBytes, timestampUs);
    batch.writeUInt32LE(payloadBytes, at + headerBytes + 8);
    // The payload differs from chunk to chunk, so that the load client would see a mixed-up one.
    writeTimeUs(batch, at + headerBytes + 12, timestampUs);
    publishedChunks += 1;
  }
}

function tick() {
  const batch = ring[(publishedChunks / chunksPerWrite) % batches];
  fill(batch);
  for (const socket of streaming) socket.write(batch);
  const nextUs = startedUs + (publishedChunks + chunksPerWrite) * chunkUs;
  setTimeout(tick, Math.max(0, (nextUs - nowUs()) / 1000));
}
setTimeout(tick, (chunkUs * chunksPerWrite) / 1000);

process.on('SIGTERM', () => process.exit(0));
