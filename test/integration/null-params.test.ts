import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ControlClient } from '../support/control-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const request = '{"id":1,"jsonrpc":"2.0","method":"Server.GetRPCVersion","params":null}';
const answer = { id: 1, jsonrpc: '2.0', result: { major: 23, minor: 0, patch: 0 } };

let server: TestServer;
beforeEach(async () => {
  server = await TestServer.start('stream.source=tone:///?name=A');
});
afterEach(() => server.stop());

it('parameters that are null are none over TCP', async () => {
  const client = await ControlClient.connect(server.controlPort);
  client.send(`${request}\r\n`);
  await until(() => client.raw.length > 0);
  expect(JSON.parse(Buffer.concat(client.raw).toString())).toEqual(answer);
  client.close();
});

it('parameters that are null are none over WebSocket', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${server.httpPort}/jsonrpc`);
  await once(socket, 'open');
  socket.send(request);
  const [message] = await once(socket, 'message');
  expect(JSON.parse(String(message))).toEqual(answer);
  socket.terminate();
});

it('parameters that are null are none in a POST', async () => {
  const url = `http://127.0.0.1:${server.httpPort}/jsonrpc`;
  const reply = await fetch(url, { method: 'POST', body: request });
  expect(await reply.json()).toEqual(answer);
});
