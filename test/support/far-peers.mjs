// Peers of a server that run where a test can cut them off: they connect, say what they were told
// to, read on and never end by themselves.
//
//   node far-peers.mjs '[{"name", "host", "port", "say"?: <base64>, "ask"?: <base64 of a Time request>,
//     "webSocket"?: <path>, "reads"?: false}]'
//
// Prints "connected <name>" for each of them.
import { connect } from 'node:net';
import { WebSocket } from 'ws';

for (const peer of JSON.parse(process.argv[2])) begin(peer);

function begin({ name, host, port, say, ask, webSocket, reads = true }) {
  const bytes = Buffer.from(say ?? '', 'base64');
  const connected = () => console.log(`connected ${name}`);
  if (webSocket) {
    const peer = new WebSocket(`ws://${host}:${port}${webSocket}`);
    peer.on('error', () => {});
    peer.on('open', () => {
      if (bytes.length > 0) peer.send(bytes);
      connected();
    });
    return;
  }
  const peer = connect(port, host);
  peer.on('error', () => {});
  peer.once('connect', () => {
    peer.write(bytes);
    if (ask) setInterval(() => peer.write(stamped(Buffer.from(ask, 'base64'))), 1000);
    if (reads) peer.resume();
    else peer.pause();
    connected();
  });
}

/** With what the clock of this machine shows. */
function stamped(request) {
  const us = process.hrtime.bigint() / 1000n;
  request.writeInt32LE(Number(us / 1_000_000n), 6);
  request.writeInt32LE(Number(us % 1_000_000n), 10);
  return request;
}

setInterval(() => {}, 60_000);
