import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { OutputLog } from './output-log.ts';

/** Node has no datagrams between processes, so another program reads them, one a line as JSON. */
const program = `
import json, os, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
print('bound', flush=True)
while True:
    print(json.dumps(receiver.recv(65536).decode()), flush=True)
`;

/** Stands where systemd listens. */
export class NotifySocket {
  readonly path: string;
  readonly #child: ChildProcess;
  readonly #log: OutputLog;

  private constructor(path: string) {
    this.path = path;
    this.#child = spawn('python3', ['-c', program, path], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#log = new OutputLog('the notify socket', this.#child);
  }

  static async open(folder: string): Promise<NotifySocket> {
    const socket = new NotifySocket(join(folder, 'notify'));
    await socket.#log.waitFor(/^bound$/m);
    return socket;
  }

  /** Each message as its lines. */
  get messages(): readonly (readonly string[])[] {
    const lines = this.#log.text.split('\n').slice(1, -1);
    return lines.map((line) => String(JSON.parse(line)).split('\n'));
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
