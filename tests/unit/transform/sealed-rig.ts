/**
 * Two gateways' transforms around one dirty slab, and the plain cipher of `sealed` for the twins: node:crypto only.
 */
import { createCipheriv, createHmac } from 'node:crypto';
import { AES_256_GCM, type CipherProvider, J_OP, J_STATUS, J_STRIDE, OP_SUM } from '#transform/cipher.ts';
import { keyInfo, sealedKeys } from '#transform/key-schedule.ts';
import { SealedState } from '#transform/state.ts';
import { W_JOB, W_JOBS, Work } from '#transform/work.ts';
import { Frame } from '#wire/frame.ts';
import { parseFrame } from '#wire/parse.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_STRIDE,
  F_VLAN_TCI,
  SLOT_HEADROOM,
  SLOT_SIZE,
  VNET_DATA_VALID,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { onesSum, word16 } from './plain-packets.ts';

export const DIRTY = 0xa5;
const WORK_BYTES = 1 << 20;
const RECORDS = 1024;
const TRANSCRIPT = new Uint8Array(32).fill(7);
const PRK = 9;

export interface Arrival {
  readonly gsoType?: number;
  readonly gsoSize?: number;
  /** What the kernel says about the checksum; verified unless told otherwise. */
  readonly verified?: boolean;
}

export interface Settled {
  readonly bytes: Buffer;
  /** All jobs of the record succeeded. */
  readonly ok: boolean;
  readonly number: number;
  readonly gsoType: number;
  readonly gsoSize: number;
}

export class Rig {
  readonly slab = new Uint8Array(SLOT_SIZE + WORK_BYTES).fill(DIRTY);
  readonly work = new Work(this.slab, SLOT_SIZE, SLOT_SIZE + WORK_BYTES, RECORDS);
  readonly frame = new Frame();
  readonly provider: CipherProvider;
  readonly #batch = new Int32Array(F_STRIDE);

  constructor(provider: CipherProvider) {
    this.provider = provider;
  }

  state(role: 'initiator' | 'responder', generation = 2, translated: 'own' | 'peer' | 'none' = 'none'): SealedState {
    const prk = this.provider.importKey(new Uint8Array(32).fill(PRK));
    const keys = sealedKeys(this.provider, prk, TRANSCRIPT, role, AES_256_GCM)!;
    return new SealedState({
      slot: 5,
      generation,
      ...keys,
      initiator: role === 'initiator',
      translatedOwn: translated === 'own',
      translatedPeer: translated === 'peer',
    });
  }

  /** A frame as a port would hand it over; returns parseFrame's answer. */
  arrive(bytes: Buffer, how: Arrival = {}): number {
    this.work.reset();
    this.slab.fill(DIRTY);
    this.slab.set(bytes, SLOT_HEADROOM);
    this.#batch.fill(0);
    this.#batch[F_OFFSET] = SLOT_HEADROOM;
    this.#batch[F_LENGTH] = bytes.length;
    this.#batch[F_FLAGS] = how.verified === false ? 0 : VNET_DATA_VALID;
    this.#batch[F_GSO_TYPE] = how.gsoType ?? 0;
    this.#batch[F_GSO_SIZE] = how.gsoSize ?? 0;
    this.#batch[F_VLAN_TCI] = -1;
    return parseFrame(this.slab, this.work.view, this.#batch, 0, this.frame);
  }

  /** Runs the jobs and takes every record out, with the checksum that the link would have completed. */
  settle(): Settled[] {
    const { work } = this;
    this.provider.run(this.slab, work.jobs, work.jobCount);
    return Array.from({ length: work.recordCount }, (_, i) => this.take(i));
  }

  take(record: number): Settled {
    const r = this.work.records.subarray(record * F_STRIDE, (record + 1) * F_STRIDE);
    const bytes = Buffer.from(this.slab.subarray(r[F_OFFSET], r[F_OFFSET] + r[F_LENGTH]));
    if ((r[F_FLAGS] & VNET_NEEDS_CSUM) !== 0) {
      const sum = onesSum(bytes.subarray(r[F_CSUM_START]));
      word16(~sum & 0xffff || 0xffff).copy(bytes, r[F_CSUM_START] + r[F_CSUM_OFFSET]);
    }
    let ok = r[W_JOBS] > 0;
    for (let j = r[W_JOB]; j < r[W_JOB] + r[W_JOBS]; j++) {
      const status = this.work.jobs[j * J_STRIDE + J_STATUS];
      if (status !== (this.work.jobs[j * J_STRIDE + J_OP] === OP_SUM ? 0xffff : 0)) ok = false;
    }
    return { bytes, ok, number: this.work.numbers[record], gsoType: r[F_GSO_TYPE], gsoSize: r[F_GSO_SIZE] };
  }
}

/** HKDF-Expand alone (RFC 5869 §2.3) of the PRK that `Rig.state` uses. */
function associationKey(direction: 'i>r' | 'r>i'): Buffer {
  const info = keyInfo(`gscip 1 ${direction} aead`, TRANSCRIPT);
  const blocks: Buffer[] = [];
  for (let i = 1; i <= 2; i++) {
    const hmac = createHmac('sha256', Buffer.alloc(32, PRK));
    blocks.push(
      hmac
        .update(blocks[i - 2] ?? '')
        .update(info)
        .update(Buffer.from([i]))
        .digest(),
    );
  }
  return Buffer.concat(blocks).subarray(0, 36);
}

/** The twins' cipher: initiator to responder. */
export function twinSeal(number: number, aad: Buffer, payload: Buffer, tagLength: 12 | 16): [Buffer, Buffer] {
  const key = associationKey('i>r');
  const nonce = Buffer.alloc(12);
  key.copy(nonce, 0, 32, 36);
  nonce.writeBigUInt64BE(BigInt(number), 4);
  const cipher = createCipheriv('aes-256-gcm', key.subarray(0, 32), nonce, { authTagLength: tagLength });
  cipher.setAAD(aad);
  const sealed = Buffer.concat([cipher.update(payload), cipher.final()]);
  return [sealed, cipher.getAuthTag()];
}
