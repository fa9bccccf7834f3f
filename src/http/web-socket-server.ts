import { type WebSocket, WebSocketServer } from 'ws';

/** No client splits its messages. */
const maxFragments = 64;
/** Pongs wait behind what a peer does not read, but only so many. */
const maxBytesBeforePong = 64 * 1024;

/** Of upgrades that are handed to it; it agrees on no extras. */
export function webSocketServer(maxPayload: number): WebSocketServer {
  return new WebSocketServer({
    maxPayload,
    noServer: true,
    autoPong: false,
    clientTracking: false,
    perMessageDeflate: false,
    handleProtocols: () => false,
    maxFragments,
  });
}

/** By itself `ws` queues a pong for each ping of a peer that does not read. */
export function answerPings(webSocket: WebSocket): void {
  webSocket.on('ping', (data) => {
    if (webSocket.bufferedAmount < maxBytesBeforePong) webSocket.pong(data);
  });
}
