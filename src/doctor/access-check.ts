import { statSync } from 'node:fs';
import { configuredAccess } from '../app/configured-access.ts';
import { readUsers } from '../auth/user-entries.ts';
import { messageOf } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import type { DoctorContext } from './context.ts';
import { type Check, type Finding, fault, faultOf, note, ok, warning } from './finding.ts';

/** A secret of fewer different characters is no product of chance. */
const minDifferentCharacters = 10;
const entryAdvice = 'correct the entry in [authorization]';
const hashAdvice = 'write what "zerocast hash-password" prints in place of the password';
const secretAdvice = 'make one with "openssl rand -hex 32"';

/** Section [authorization]. */
export function accessCheck({ config, configFile }: DoctorContext): Check {
  return {
    name: 'authorization',
    run: async () => [...(await authorization(config)), ...readableSecrets(config, configFile)],
  };
}

async function authorization(config: Config): Promise<readonly Finding[]> {
  const { enabled, role: roles, user: users, tokenSecret } = config.authorization;
  if (!enabled) return openToAll(config);
  try {
    await configuredAccess(config);
  } catch (error) {
    return faultLines(error);
  }
  const table = readUsers({ roles, users });
  const plain = [...table.values()].filter(({ password }) => typeof password === 'string');
  const findings = [ok(`logins are needed; users: ${[...table.keys()].join(', ') || 'none'}`)];
  if (table.size === 0) {
    findings.push(warning('nobody can log in, as there is no user', 'add a user to the section'));
  }
  if (plain.length > 0) {
    const names = plain.map(({ name }) => name).join(', ');
    findings.push(note(`passwords stand in plain text in the configuration: ${names}`, hashAdvice));
  }
  if (tokenSecret && new Set(tokenSecret).size < minDifferentCharacters) {
    findings.push(warning('token_secret is easy to guess: few different characters', secretAdvice));
  }
  return findings;
}

/** Several faults stand on lines of their own, below a heading; their remedy behind a semicolon. */
function faultLines(error: unknown): readonly Finding[] {
  const [first = '', ...others] = messageOf(error).split('\n');
  if (others.length === 0) return [faultOf(error, entryAdvice)];
  const section = /^\[\w+\]/.exec(first)?.[0] ?? '';
  return others.map((line) => {
    const [text = '', mend = ''] = line.trim().split(/; (.*)/s);
    const whole = `${section} ${text}`;
    return mend ? fault(whole, mend) : faultOf(new Error(whole), entryAdvice);
  });
}

function openToAll({ tcpControl, tcpStreaming, http }: Config): readonly Finding[] {
  const addresses = [tcpControl, tcpStreaming, http].flatMap(({ enabled, bindToAddress }) =>
    enabled ? bindToAddress : [],
  );
  if (addresses.every(isLoopback)) return [ok('logins are off, and only this machine can connect')];
  return [
    note(
      'logins are off: everybody on the network can listen and control',
      'set enabled, roles and users in [authorization], or bind_to_address = 127.0.0.1',
    ),
  ];
}

function isLoopback(address: string): boolean {
  return address === '::1' || address === 'localhost' || address.startsWith('127.');
}

function readableSecrets({ authorization, ssl }: Config, file: string | undefined): Finding[] {
  const hasSecrets = authorization.user.length > 0 || authorization.tokenSecret || ssl.keyPassword;
  const stats = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
  if (!hasSecrets || !stats || (stats.mode & 0o004) === 0) return [];
  const text = `${file} holds passwords and can be read by every user of this machine`;
  return [warning(text, `chmod 640 ${file}, and chgrp it to the group of the server`)];
}
