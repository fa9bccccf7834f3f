import { signal } from '@preact/signals';
import { faultText } from '../control/actions.ts';
import { fetchAsUser } from '../control/login.ts';

type CheckLevel = 'ok' | 'note' | 'warning' | 'fault';
export type PortName = 'streaming' | 'control' | 'http' | 'https';

/** What `health.json` says. */
export interface Health {
  readonly version: string;
  readonly node: string;
  readonly host: { readonly name: string; readonly os: string; readonly arch: string };
  readonly addresses: readonly string[];
  readonly uptimeSeconds: number;
  readonly ports: Readonly<Record<PortName, number>>;
  readonly encoders: { readonly flac: { readonly name: string; readonly reason?: string } };
  readonly addon: { readonly isLoaded: boolean; readonly reason?: string };
  readonly certificate?: {
    readonly validTo: number;
    readonly names: readonly string[];
    /** SHA-256 of a private authority. */
    readonly authority?: string;
  };
  readonly counts: Readonly<Record<'streams' | 'players' | 'controllers' | 'clients', number>>;
  readonly limits: Readonly<Record<'streams' | 'players' | 'controllers' | 'clients', number>>;
  readonly controllers: readonly {
    readonly address: string;
    readonly transport: string;
    readonly user?: string;
  }[];
  readonly checks: readonly {
    readonly name: string;
    readonly findings: readonly {
      readonly level: CheckLevel;
      readonly text: string;
      readonly mend?: string;
    }[];
  }[];
  /** Absent where the role forbids it. */
  readonly warnings?: readonly {
    readonly time: string;
    readonly level: string;
    readonly text: string;
  }[];
}

export const health = signal<Health | undefined>(undefined);
/** Why there is none; empty while it is asked for. */
export const healthFault = signal('');

export async function lookAtHealth(): Promise<void> {
  healthFault.value = '';
  try {
    const response = await fetchAsUser('health.json');
    if (!response.ok) throw new Error(await response.text());
    health.value = await response.json();
  } catch (error) {
    health.value = undefined;
    healthFault.value = faultText(error);
  }
}
