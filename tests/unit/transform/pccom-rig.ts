/**
 * Two gateways' `pccom` around one dirty slab: what goes in are frames, what comes out are frames as a link carries
 * them.
 */
import {
  type CipherProvider,
  J_AAD_LENGTH,
  J_DST,
  J_KEY,
  J_LENGTH,
  J_OP,
  J_SHORT_KEY,
  J_SRC,
  J_STRIDE,
  OP_ENCIPHER,
} from '#transform/cipher.ts';
import { pccomKeys } from '#transform/key-schedule.ts';
import { settleKeyedIn, settleKeyedOut } from '#transform/pccom-checksum.ts';
import {
  decipherDatagram,
  encipherDatagram,
  encipherDatagramBytes,
  encipherDatagramRecords,
} from '#transform/pccom-datagram.ts';
import { DECIPHER_BYTES, decipherRecords } from '#transform/pccom-jobs.ts';
import { PccomState } from '#transform/pccom-state.ts';
import { decipherTcp, encipherTcp, encipherTcpBytes, encipherTcpRecords, raiseSegments } from '#transform/pccom-tcp.ts';
import { jobsOutcome, KIND_KEYED_IN, KIND_KEYED_OUT, W_JOB, W_JOBS, W_KIND } from '#transform/work.ts';
import { FORM_TCP } from '#wire/frame.ts';
import { ipv4SetId, ipv4SetTotalLength } from '#wire/ipv4.ts';
import { F_FLAGS, F_STRIDE, SLOT_HEADROOM } from '#wire/record.ts';
import { onesSum, pseudoHeader, word16, word32 } from './plain-packets.ts';
import { type Arrival, DIRTY, Rig } from './sealed-rig.ts';

export interface Switch {
  readonly older: PccomState;
  readonly sequence: number;
}

/** A frame on a wire, or a superpacket as a port hands it over. */
export interface Carried {
  readonly bytes: Buffer;
  readonly gsoType: number;
  readonly gsoSize: number;
}

export interface Options {
  readonly keyed?: boolean;
  readonly translated?: 'own' | 'peer';
  /** Other keys: another transcript. */
  readonly generation?: number;
}

const UNTOUCHED = Buffer.alloc(4 << 20, DIRTY);

export class PccomRig extends Rig {
  pccom(role: 'initiator' | 'responder', options: Options = {}): PccomState {
    const generation = options.generation ?? 0;
    const prk = this.provider.importKey(new Uint8Array(32).fill(9));
    const transcript = new Uint8Array(32).fill(generation);
    const keys = pccomKeys(this.provider, prk, transcript, role, options.keyed === true)!;
    this.provider.release(prk);
    return new PccomState({
      slot: 3,
      generation,
      ...keys,
      initiator: role === 'initiator',
      translatedOwn: options.translated === 'own',
      translatedPeer: options.translated === 'peer',
    });
  }

  /**
   * Enciphers one frame of the device: what leaves, or why not. Room asked for is enough, and nothing else is written.
   */
  encipher(
    frame: Carried | Buffer,
    state: PccomState,
    how: Arrival & { mtu?: number; reassembled?: boolean; at?: Switch } = {},
  ) {
    const parsed = this.carry(frame, how);
    if (parsed !== 0) return parsed;
    const mtu = how.mtu ?? 65_535;
    const { work } = this;
    const tcp = this.frame.form === FORM_TCP;
    const older = how.at?.older;
    if (tcp) raiseSegments(this.frame, state, mtu, older);
    const records = tcp
      ? encipherTcpRecords(this.frame, state, mtu, older)
      : encipherDatagramRecords(this.frame, state, mtu);
    const bytes = tcp ? encipherTcpBytes(this.frame, state, mtu, older) : encipherDatagramBytes(this.frame, state, mtu);
    const top = work.top;
    const reassembled = how.reassembled === true;
    const code = tcp
      ? encipherTcp(work, this.frame, state, mtu, 0, reassembled, older, how.at?.sequence)
      : encipherDatagram(work, this.frame, state, mtu, 0, reassembled);
    if (code < 0) return code;
    this.#within(records, bytes, top);
    if (work.recordCount !== code) throw new Error(`${work.recordCount} records, ${code} reported`);
    return this.#finish();
  }

  /** Deciphers one frame from the network. */
  decipher(frame: Carried | Buffer, state: PccomState, how: Arrival & { at?: Switch } = {}): Carried | number {
    const parsed = this.carry(frame, how);
    if (parsed !== 0) return parsed;
    const { work } = this;
    const top = work.top;
    const code =
      this.frame.form === FORM_TCP
        ? decipherTcp(work, this.frame, state, 1, how.at?.older, how.at?.sequence)
        : decipherDatagram(work, this.frame, state, 1);
    if (code < 0) return code;
    if (work.recordCount !== 1) throw new Error(`${work.recordCount} records`);
    this.#within(decipherRecords(this.frame), DECIPHER_BYTES, top);
    const out = this.#finish();
    return typeof out === 'number' ? out : out[0];
  }

  /** parseFrame's answer. */
  carry(frame: Carried | Buffer, how: Arrival): number {
    if (Buffer.isBuffer(frame)) return this.arrive(frame, how);
    return this.arrive(frame.bytes, { gsoType: frame.gsoType, gsoSize: frame.gsoSize, ...how });
  }

  #within(records: number, bytes: number, top: number): void {
    const { work } = this;
    if (work.recordCount > records || work.jobCount > 2 * records) throw new Error('more records than asked for');
    if (work.top - top > bytes) throw new Error('more bytes than asked for');
  }

  /** Runs the jobs and settles: all frames, or the first one's drop code. */
  #finish(): Carried[] | number {
    const { work, slab } = this;
    const end = SLOT_HEADROOM + this.frame.length;
    this.provider.run(slab, work.jobs, work.jobCount);
    if (!slab.subarray(0, SLOT_HEADROOM).every((byte) => byte === DIRTY)) throw new Error('written before the slot');
    if (!slab.subarray(end, end + 64).every((byte) => byte === DIRTY)) throw new Error('written behind the frame');
    if (!Buffer.from(slab.buffer, work.top).equals(UNTOUCHED.subarray(work.top, slab.length))) {
      throw new Error('written behind what was reserved');
    }
    const out: Carried[] = [];
    for (let i = 0; i < work.recordCount; i++) {
      const kind = work.records[i * F_STRIDE + W_KIND];
      const code =
        kind === KIND_KEYED_OUT
          ? settleKeyedOut(work, i)
          : kind === KIND_KEYED_IN
            ? settleKeyedIn(work, i)
            : jobsOutcome(work.jobs, work.records[i * F_STRIDE + W_JOB], work.records[i * F_STRIDE + W_JOBS]);
      if (code < 0) return code;
      const one = this.take(i);
      if (kind === KIND_KEYED_OUT && work.records[i * F_STRIDE + F_FLAGS] !== 0) throw new Error('not complete');
      out.push(one);
    }
    return out;
  }
}

/**
 * What a port or a link makes of a superpacket: its segments, with whole headers and checksums (the long way round).
 */
export function segments(frame: Carried): Buffer[] {
  const { bytes, gsoSize } = frame;
  if (frame.gsoType === 0) return [bytes];
  const version = bytes.readUInt16BE(12) === 0x0800 ? 4 : 6;
  const l4 = version === 4 ? 14 + (bytes[14] & 15) * 4 : 54;
  const tcp = bytes[version === 4 ? 23 : 20] === 6;
  const header = tcp ? (bytes[l4 + 12] >>> 4) * 4 : 8;
  const payload = bytes.subarray(l4 + header);
  const out: Buffer[] = [];
  for (let at = 0; at < payload.length; at += gsoSize) {
    const part = Buffer.concat([bytes.subarray(0, l4 + header), payload.subarray(at, at + gsoSize)]);
    const view = new DataView(part.buffer, part.byteOffset, part.length);
    if (version === 4) {
      ipv4SetTotalLength(view, 14, part.length - 14);
      ipv4SetId(view, 14, (part.readUInt16BE(18) + out.length) & 0xffff);
    } else {
      word16(part.length - 54).copy(part, 18);
    }
    if (tcp) {
      const last = at + gsoSize >= payload.length;
      if (!last) part[l4 + 13] &= ~9;
      if (at > 0) part[l4 + 13] &= ~128;
      word32((part.readUInt32BE(l4 + 4) + at) >>> 0).copy(part, l4 + 4);
    } else {
      word16(part.length - l4).copy(part, l4 + 4);
    }
    const field = l4 + (tcp ? 16 : 6);
    word16(0).copy(part, field);
    const addresses = version === 4 ? part.subarray(26, 34) : part.subarray(22, 54);
    const pseudo = Buffer.concat([addresses, word32(part.length - l4), Buffer.from([0, 0, 0, tcp ? 6 : 17])]);
    word16(~onesSum(pseudo, part.subarray(l4)) & 0xffff || 0xffff).copy(part, field);
    out.push(part);
  }
  return out;
}

/** The plain twin: one payload under one tweak, built with Buffers. */
export function twinCipher(provider: CipherProvider, state: PccomState, tweak: Buffer, payload: Buffer): Buffer {
  const slab = new Uint8Array(tweak.length + payload.length);
  slab.set(tweak);
  slab.set(payload, tweak.length);
  const job = new Int32Array(J_STRIDE);
  job[J_OP] = OP_ENCIPHER;
  job[J_KEY] = state.send.wide;
  job[J_SHORT_KEY] = state.send.short;
  job[J_SRC] = tweak.length;
  job[J_DST] = tweak.length;
  job[J_LENGTH] = payload.length;
  job[J_AAD_LENGTH] = tweak.length;
  provider.run(slab, job, 1);
  return Buffer.from(slab.subarray(tweak.length));
}

/** Of initiator to responder, nothing translated; `word` is TCP's sequence number or bytes 4–7 of ICMP. */
export function twinTweak(version: 4 | 6, protocol: number, word = 0, ports = [0, 0], type = 0, code = 0): Buffer {
  return Buffer.concat([
    Buffer.from([version, protocol, type, code]),
    word32(0),
    word32(word),
    word32(0),
    word16(ports[0]),
    word16(ports[1]),
    pseudoHeader(version, false, 0, 0).subarray(0, version === 4 ? 8 : 32),
  ]);
}

/** Frames that can be compared and shown. */
export const hex = (frames: Carried[] | number): string[] | number =>
  typeof frames === 'number' ? frames : frames.map((one) => one.bytes.toString('hex'));

/** Consecutive segments of one size become one superpacket, as GRO makes it. */
export function merge(frames: Buffer[], gsoType: number, gsoSize: number): Carried {
  if (frames.length === 1) return { bytes: frames[0], gsoType: 0, gsoSize: 0 };
  const version = frames[0].readUInt16BE(12) === 0x0800 ? 4 : 6;
  const l4 = version === 4 ? 34 : 54;
  const tcp = frames[0][version === 4 ? 23 : 20] === 6;
  const header = l4 + (tcp ? (frames[0][l4 + 12] >>> 4) * 4 : 8);
  const bytes = Buffer.concat([frames[0], ...frames.slice(1).map((one) => one.subarray(header))]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (version === 4) ipv4SetTotalLength(view, 14, bytes.length - 14);
  else word16(bytes.length - 54).copy(bytes, 18);
  if (tcp) bytes[l4 + 13] |= frames[frames.length - 1][l4 + 13];
  else word16(bytes.length - l4).copy(bytes, l4 + 4);
  return { bytes, gsoType, gsoSize };
}
