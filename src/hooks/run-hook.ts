import { spawn } from 'node:child_process';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { dirname } from 'node:path';
import { findProgram } from '../base/children/find-program.ts';
import { LineSplitter } from '../base/children/line-splitter.ts';
import { ProcessGroup } from '../base/children/process-group.ts';
import { messageOf } from '../base/errors.ts';
import type { HookLine } from '../config/hook-line.ts';

/** What a program or an address is told. */
export interface HookEvent {
  readonly event: 'playing' | 'idle';
  readonly kind: 'stream' | 'group';
  readonly id: string;
  readonly name: string;
  /** The stream that the group plays, or the stream itself. */
  readonly stream: string;
}

interface RunOptions {
  readonly timeoutMs: number;
  /** The server stops. */
  readonly signal: AbortSignal;
}

/** Resolves at the end, with why it failed, if it did. Failure: never rejects. */
export async function runHook(
  target: HookLine['target'],
  event: HookEvent,
  options: RunOptions,
): Promise<string | undefined> {
  try {
    if (target.kind === 'url') return await ask(target, event, options);
    return await run(target, event, options);
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Names come by standard input and environment, never in arguments, and there is no shell: controllers
 * choose the names of groups.
 */
async function run(
  { path, args }: Extract<HookLine['target'], { kind: 'program' }>,
  event: HookEvent,
  { timeoutMs, signal }: RunOptions,
): Promise<string | undefined> {
  const program = findProgram(path);
  const child = spawn(program, args, {
    cwd: dirname(program),
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, ...variablesOf(event) },
  });
  let lastLine = '';
  const lines = new LineSplitter((line) => {
    lastLine = line;
  });
  child.stderr.on('data', (data: Buffer) => lines.write(data));
  for (const stream of [child.stdin, child.stderr]) stream.on('error', () => undefined);
  child.stdin.end(`${JSON.stringify(event)}\n`);
  const group = new ProcessGroup(child);
  const isInTime = await endsInTime(group.exited, timeoutMs, signal);
  const { code, error } = await group.end('SIGTERM');
  child.stderr.destroy();
  if (error !== undefined) return error;
  if (!isInTime) return `it was ended after ${timeoutMs / 1000} s`;
  lines.write(Buffer.from('\n'));
  return code === 0 ? undefined : lastLine || `it ended with code ${code}`;
}

function variablesOf({ event, kind, id, name, stream }: HookEvent): Record<string, string> {
  const values = { HOOK_EVENT: event, HOOK_KIND: kind, HOOK_ID: id, HOOK_NAME: name };
  return withoutNull({ ...values, HOOK_STREAM: stream });
}

/** The system takes none. */
function withoutNull(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, value.replaceAll('\0', '')]),
  );
}

async function endsInTime(
  exited: Promise<unknown>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener('abort', giveUp);
    void exited.then(() => end(true));
    function giveUp(): void {
      end(false);
    }
    function end(isInTime: boolean): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      resolve(isInTime);
    }
  });
}

/** Follows no redirect, and puts nothing into the address: it is all the operator's. */
function ask(
  { method, url }: Extract<HookLine['target'], { kind: 'url' }>,
  event: HookEvent,
  { timeoutMs, signal }: RunOptions,
): Promise<string | undefined> {
  const timeUp = AbortSignal.timeout(timeoutMs);
  const body = method === 'POST' ? JSON.stringify(event) : '';
  const request = /^https:/i.test(url) ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const asked = request(url, {
      method,
      agent: false,
      signal: AbortSignal.any([signal, timeUp]),
      headers: body === '' ? {} : { 'Content-Type': 'application/json' },
    });
    asked.on('response', (response) => {
      const { statusCode = 0, statusMessage = '' } = response;
      // What it says beyond that is not read.
      response.destroy();
      const isDone = statusCode >= 200 && statusCode < 300;
      resolve(isDone ? undefined : `it answers ${statusCode} ${statusMessage.slice(0, 80)}`.trim());
    });
    asked.on('error', (error) => {
      resolve(timeUp.aborted ? `no answer within ${timeoutMs / 1000} s` : messageOf(error));
    });
    asked.end(body);
  });
}
