/** Packets for the tests of this folder, written byte by byte, and what is needed to hand them to the parser. */
import { DROPS, dropOfCode } from '#wire/drops.ts';
import { Frame } from '#wire/frame.ts';
import { parseFrame } from '#wire/parse.ts';
import { F_LENGTH, F_OFFSET, F_STRIDE, F_VLAN_TCI } from '#wire/record.ts';

export const ETHERNET4 = '020000000002 020000000001 0800';
export const ETHERNET6 = '020000000002 020000000001 86dd';

export function hex(...parts: string[]): Uint8Array {
  return new Uint8Array(Buffer.from(parts.join('').replaceAll(/\s/g, ''), 'hex'));
}

const word = (value: number) => value.toString(16).padStart(4, '0');

/** 10.0.0.1 → 10.0.0.2; the header checksum is left zero, as parsing does not look at it. */
export function ip4(
  protocol: number,
  body: string,
  more: { options?: string; fragment?: number; total?: number } = {},
): string {
  const options = (more.options ?? '').replaceAll(/\s/g, '');
  const length = more.total ?? 20 + options.length / 2 + body.replaceAll(/\s/g, '').length / 2;
  const ihl = (5 + options.length / 8).toString(16);
  return `4${ihl}00 ${word(length)} 1234 ${word(more.fragment ?? 0x4000)} 40 ${word(protocol).slice(2)} 0000 0a000001 0a000002 ${options} ${body}`;
}

/** 2001:db8::1 → 2001:db8::2 */
export function ip6(next: number, body: string, payloadLength?: number): string {
  const length = payloadLength ?? body.replaceAll(/\s/g, '').length / 2;
  return `60000000 ${word(length)} ${word(next).slice(2)} 40 20010db8000000000000000000000001 20010db8000000000000000000000002 ${body}`;
}

/** Ports 1234 → 80, sequence 0x80000001, PSH ACK. */
export function tcp(payload: string, options = '', offset = 5 + options.replaceAll(/\s/g, '').length / 8): string {
  return `04d2 0050 80000001 00000002 ${offset.toString(16)}018 ffff 0000 0000 ${options} ${payload}`;
}

export function udp(payload: string, length = 8 + payload.replaceAll(/\s/g, '').length / 2): string {
  return `04d2 0035 ${word(length)} 0000 ${payload}`;
}

/** A frame at an odd offset of a dirty slab, with its record; columns may be changed before `parse`. */
export class Capture {
  readonly slab = new Uint8Array(70_000).fill(0xa5);
  readonly view = new DataView(this.slab.buffer);
  readonly batch = new Int32Array(2 * F_STRIDE);
  readonly frame = new Frame();
  /** The frame is in the second record: the first is all zero. */
  readonly record = 1;

  constructor(bytes: Uint8Array, offset = 101) {
    this.slab.set(bytes, offset);
    this.set(F_OFFSET, offset).set(F_LENGTH, bytes.length).set(F_VLAN_TCI, -1);
  }

  set(column: number, value: number): this {
    this.batch[this.record * F_STRIDE + column] = value;
    return this;
  }

  get(column: number): number {
    return this.batch[this.record * F_STRIDE + column];
  }

  /** 'ok', or the name of the drop. */
  parse(): string {
    const code = parseFrame(this.slab, this.view, this.batch, this.record, this.frame);
    return code === 0 ? 'ok' : DROPS[dropOfCode(code)].name;
  }

  get payload(): string {
    const { payload, payloadLength } = this.frame;
    return Buffer.from(this.slab.subarray(payload, payload + payloadLength)).toString('hex');
  }
}

export const capture = (...parts: string[]) => new Capture(hex(...parts));
