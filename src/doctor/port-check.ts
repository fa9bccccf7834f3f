import type { Config } from '../config/config.ts';
import type { DoctorContext } from './context.ts';
import { type Check, type Finding, fault, note } from './finding.ts';
import { type PortWish, tryPort } from './port-trial.ts';

/** Every port that the server listens on. */
export function portsCheck(context: DoctorContext): Check {
  return { name: 'ports', run: () => checkPorts(context) };
}

async function checkPorts(context: DoctorContext): Promise<readonly Finding[]> {
  const wishes = portsOf(context.config);
  if (wishes.length === 0) {
    return [fault('nothing listens: all ports are disabled', 'enable at least [tcp-streaming]')];
  }
  const findings: Finding[] = [];
  const settings = new Map<number, string>();
  for (const wish of wishes) {
    const { port, setting } = wish;
    const other = port === 0 ? undefined : settings.get(port);
    settings.set(port, setting);
    if (other !== undefined) {
      const text = `port ${port} is wanted by both ${other} and ${setting}`;
      findings.push(fault(text, 'choose another port for one of them'));
    } else if (port === 0) {
      findings.push(note(`${setting} listens on a port that the system chooses at each start`));
    } else {
      findings.push(...(await tryPort(wish, context)));
    }
  }
  return findings;
}

/** The ports of the configuration that are enabled. */
export function portsOf({ tcpStreaming, tcpControl, http }: Config): readonly PortWish[] {
  const wish = (setting: string, addresses: readonly string[], port: number) => [
    { setting, addresses, port },
  ];
  return [
    ...(tcpStreaming.enabled
      ? wish('tcp-streaming', tcpStreaming.bindToAddress, tcpStreaming.port)
      : []),
    ...(tcpControl.enabled ? wish('tcp-control', tcpControl.bindToAddress, tcpControl.port) : []),
    ...(http.enabled ? wish('http', http.bindToAddress, http.port) : []),
    ...(http.sslEnabled ? wish('http (TLS)', http.sslBindToAddress, http.sslPort) : []),
  ];
}
