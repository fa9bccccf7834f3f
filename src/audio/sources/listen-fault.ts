import { codeOf, SourceError } from '../../base/errors.ts';

/** Code of our own and advice for the faults that one meets. */
const faults: Readonly<Record<string, readonly [code: string, hint: string]>> = {
  EADDRINUSE: [
    'address-in-use',
    'another stream or program has this port: stop it, or choose another port',
  ],
  EADDRNOTAVAIL: ['address-unknown', 'this machine has no such address: choose one, or 0.0.0.0'],
  ENOTFOUND: ['address-unknown', 'no such host name: fix it, or write 0.0.0.0'],
  EACCES: ['address-refused', 'ports below 1024 need privileges: choose a higher one'],
};

/** What to say when a source cannot be where its producer is to send to. */
export function listenFault(address: string, error: Error): SourceError {
  const [code, hint] = faults[codeOf(error)] ?? ['listen', 'fix the address'];
  return new SourceError(code, `cannot listen on ${address}: ${error.message}: ${hint}`, {
    cause: error,
  });
}
