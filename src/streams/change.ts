import type { ClientRecord, GroupRecord } from '../clients/client-record.ts';
import type { StreamChannel } from './stream-channel.ts';

/** Something about clients, groups or streams is different now. */
export type Change =
  | {
      /** `client-added`: never seen before, and in a group of its own. */
      readonly kind:
        | 'client-added'
        | 'client-connected'
        | 'client-disconnected'
        | 'client-removed'
        | 'client-volume'
        | 'client-latency'
        | 'client-name';
      readonly client: ClientRecord;
    }
  | {
      readonly kind: 'group-mute' | 'group-name' | 'group-stream';
      readonly group: GroupRecord;
    }
  /** Clients moved between groups; groups may have come and gone, and more be different with that. */
  | { readonly kind: 'groups'; readonly details?: readonly Change[] }
  /** Streams changed their places. */
  | { readonly kind: 'stream-order' }
  | {
      readonly kind: 'stream-added' | 'stream-removed' | 'stream-state' | 'stream-properties';
      readonly channel: StreamChannel;
    };

/** Who caused a change and knows of it already; compared by identity only. */
export type Requester = object;

/** Is told of every change, after it was made. */
export type ChangeListener = (change: Change, by?: Requester) => void;
