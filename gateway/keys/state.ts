/** What the key client is made of and what it tells. */
import type { Sequence } from '#gms/delivery.ts';
import type { GmsError, GmsErrorCode } from '#gms/errors.ts';
import type { CipherProvider } from '#transform/cipher.ts';
import type { Clock } from './clock.ts';
import type { Patience } from './connection.ts';
import type { KeyRing } from './ring.ts';

export interface KeyClientOptions {
  /** State directory; the store is `directory/store`. */
  readonly directory: string;
  readonly provider: CipherProvider;
  /** What the GMS is told with each acknowledgement; without it the GMS keeps what it knows. */
  readonly software?: string;
  readonly clock?: Clock;
  /** 0 ≤ n < 1, for jitter. */
  readonly random?: () => number;
  readonly graceMs?: number;
  readonly pollMs?: number;
  /** With connections to the GMS. */
  readonly patience?: Patience;
}

export interface KeyState {
  readonly enrolled: boolean;
  readonly ge: string | undefined;
  readonly name: string | undefined;
  /** `none` before the first bundle, `expired` when the GMS was away for too long, `removed` when it said so. */
  readonly keys: 'none' | 'valid' | 'expired' | 'removed';
  readonly sequence: Sequence | undefined;
  /** ms since 1970, the GMS's time. */
  readonly lastContact: number | undefined;
  /** ms since 1970, the GMS's time, at which the keys expire without contact; undefined for never. */
  readonly validUntil: number | undefined;
  /** The address that answered last. */
  readonly gmsAddress: string | undefined;
  /** The event stream is open, and what it announces arrives. */
  readonly connected: boolean;
  /** Why the last fetch failed, or else the last stream; undefined as soon as the next one is good. */
  readonly error: GmsError | undefined;
}

/** Something a person must look at; the held ring stays in use. */
export interface KeyAlarm {
  readonly name: Extract<GmsErrorCode, `bundle-${string}` | 'wrong-root' | 'removed'> | 'store';
  readonly message: string;
}

/** What the key client emits. */
export interface KeyEvents {
  /** Keys to use from now on; undefined: none. */
  ring: [KeyRing | undefined];
  state: [KeyState];
  alarm: [KeyAlarm];
  /** The GMS had all remembered peers forgotten; the stored ones are gone. */
  'forget-peers': [];
}
