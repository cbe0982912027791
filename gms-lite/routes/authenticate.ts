/** Who asks: the gateway's signature on the request (#gms/request.ts), each accepted once. */
import { GmsError } from '#gms/errors.ts';
import { verifyWith } from '#gms/raw-keys.ts';
import { parseRequestSignature, REQUEST_WINDOW_MS, requestToSign } from '#gms/request.ts';
import type { Gms } from '../gms.ts';
import type { Element } from '../store/records.ts';

/** Requests that one GE can make within the window. */
const REQUESTS_MAX = 600;

export interface AuthenticatedRequest {
  readonly header: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly body: Uint8Array;
}

/** Remembers nonces while their time is within the window; only signed requests get in, so only GEs fill it. */
export class Authenticator {
  readonly #gms: Gms;
  readonly #seen = new Map<string, Map<string, number>>();

  constructor(gms: Gms) {
    this.#gms = gms;
  }

  /** @throws GmsError not-authenticated, clock, replayed, too-many-requests, removed */
  check({ header, method, path, body }: AuthenticatedRequest): Element {
    const signature = parseRequestSignature(header);
    const element = signature && this.#gms.store.get('element', signature.ge);
    if (
      signature === undefined ||
      element === undefined ||
      !verifyWith(element.signingKey, requestToSign(method, path, signature, body), signature.signature)
    ) {
      throw new GmsError('not-authenticated');
    }
    const now = this.#gms.now();
    if (Math.abs(signature.time - now) > REQUEST_WINDOW_MS) {
      throw new GmsError('clock', { seconds: REQUEST_WINDOW_MS / 1000 });
    }
    this.#once(signature.ge, signature.nonce, signature.time, now);
    if (element.state === 'retired') throw new GmsError('removed');
    return element;
  }

  #once(ge: string, nonce: string, time: number, now: number): void {
    const nonces = this.#seen.get(ge) ?? new Map<string, number>();
    this.#seen.set(ge, nonces);
    for (const [old, until] of nonces) if (until < now) nonces.delete(old);
    if (nonces.has(nonce)) throw new GmsError('replayed');
    if (nonces.size >= REQUESTS_MAX) throw new GmsError('too-many-requests');
    nonces.set(nonce, time + REQUEST_WINDOW_MS);
  }
}
