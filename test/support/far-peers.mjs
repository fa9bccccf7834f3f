// Peers of a server that run where a test can cut them off: they connect, say what they were told
// to, read on and never end by themselves.
//
//   node far-peers.mjs '[{"name", "host", "port", "say"?: <base64>, "webSocket"?: <path>, "reads"?: false}]'
//
// Prints "connected <name>" for each of them.
import { connect } from 'node:net';
import { WebSocket } from 'ws';

for (const peer of JSON.parse(process.argv[2])) begin(peer);

function begin({ name, host, port, say, webSocket, reads = true }) {
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
    if (reads) peer.resume();
    else peer.pause();
    connected();
  });
}

setInterval(() => {}, 60_000);
