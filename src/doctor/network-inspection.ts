import { DatagramInput } from '../audio/sources/rtp/datagram-input.ts';
import { readNetworkAddress } from '../audio/sources/rtp/network-address.ts';
import { prepareNetwork } from '../audio/sources/rtp/prepare-network.ts';
import { addressText } from '../audio/sources/tcp-address.ts';
import type { StreamOptions } from '../audio/stream-options.ts';
import type { DoctorContext } from './context.ts';
import { type Finding, fault, note, ok, warning } from './finding.ts';
import { NoteTaker } from './note-taker.ts';

const patienceMs = 5000;

/** Waits for the first packet where the stream would wait for it. */
export async function inspectNetwork(
  options: StreamOptions,
  { isServer = false }: DoctorContext,
): Promise<readonly Finding[]> {
  const logger = new NoteTaker();
  const prepared = await prepareNetwork({ ...options, logger });
  const { place, sap, sessionName } = readNetworkAddress(prepared);
  if (sap === 'listen') {
    const session = sessionName === undefined ? 'any session' : `the session "${sessionName}"`;
    return [note(`${session} is waited for until it is announced by SAP`)];
  }
  if (isServer) return [];
  const where = addressText({ hostname: place.address || '0.0.0.0', port: place.port });
  return new Promise((resolve) => {
    const finish = (finding: Finding) => {
      clearTimeout(timer);
      void input.close().then(() => resolve([finding, ...logger.take()]));
    };
    const timer = setTimeout(() => finish(silence(where, input.isGroup)), patienceMs);
    const input: DatagramInput = new DatagramInput(place, {
      logger,
      fields: {},
      onDatagram: (_, { address }) => finish(ok(`packets come from ${address} to ${where}`)),
      onFailure: ({ code, message }) =>
        finish(
          code === 'address-in-use'
            ? note(`the UDP port of ${where} is in use, as by a running server`, seeWho(place.port))
            : fault(message, 'correct this source in [stream]'),
        ),
    });
    input.open();
  });
}

function seeWho(port: number): string {
  return `see by whom with "sudo ss -lunp sport = :${port}"`;
}

function silence(where: string, isGroup: boolean): Finding {
  const text = `no packet has come to ${where} within ${patienceMs / 1000} s`;
  return isGroup
    ? warning(
        text,
        'start the sender; name the network interface by iface; switches with IGMP snooping need an IGMP querier, mostly the router',
      )
    : warning(text, 'start the sender, and let UDP to this port pass the firewall');
}
