import { connect } from 'node:net';
import { LineReader } from '../base/net/line-reader.ts';
import { within } from '../base/time/within.ts';

/** Some answers list all clients. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** The answer to one request over TCP, as text. Failure: rejects when there is none in time. */
export async function askControl(question: {
  readonly host: string;
  readonly port: number;
  readonly method: string;
  readonly params: object;
  readonly timeoutMs: number;
}): Promise<string> {
  const { host, port, method, params, timeoutMs } = question;
  const socket = connect({ host, port });
  const lines = new LineReader(() => maxAnswerBytes);
  try {
    socket.write(`${JSON.stringify({ id: 1, jsonrpc: '2.0', method, params })}\r\n`);
    const answer = new Promise<string>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the connection was closed')));
      socket.on('data', (data) => {
        lines.push(data);
        for (let line = lines.next(); line !== undefined; line = lines.next()) {
          // Notifications may come first.
          if (line.includes('"id":1')) resolve(line);
        }
        if (lines.isOverlong) reject(new Error('the answer is too long'));
      });
    });
    const text = await within(answer, timeoutMs);
    if (text === undefined) throw new Error('no answer came');
    return text;
  } finally {
    socket.destroy();
  }
}
