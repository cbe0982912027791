/** Fragments as a device's kernel makes them and puts them together: independent of the gateway's own. */
import { FORM_FRAGMENT } from '#wire/frame.ts';
import { ipv4SetFragment, ipv4SetId, ipv4SetTotalLength } from '#wire/ipv4.ts';
import { parsed } from './sim-frames.ts';

const ETHER = 14;
const IPV4 = 20;
const IPV6 = 40;
const FRAGMENT6 = 44; /* next header: fragment (RFC 8200 § 4.5) */

/** A frame of `sim-frames` without extension headers, cut so that no packet is longer than `mtu`. */
export function fragments(bytes: Uint8Array, mtu: number, id: number): Uint8Array[] {
  const v4 = bytes[12] === 0x08;
  const header = ETHER + (v4 ? IPV4 : IPV6);
  const extra = v4 ? 0 : 8;
  const room = (mtu - (header - ETHER) - extra) & ~7;
  const data = bytes.subarray(header);
  const cut: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += room) {
    const part = data.subarray(at, at + room);
    const more = at + room < data.length;
    const one = new Uint8Array(header + extra + part.length);
    const view = new DataView(one.buffer);
    one.set(bytes.subarray(0, header));
    one.set(part, header + extra);
    if (v4) {
      ipv4SetTotalLength(view, ETHER, IPV4 + part.length);
      ipv4SetFragment(view, ETHER, at, more);
      ipv4SetId(view, ETHER, id);
    } else {
      view.setUint16(ETHER + 4, extra + part.length);
      one[header] = one[ETHER + 6];
      one[ETHER + 6] = FRAGMENT6;
      view.setUint16(header + 2, at | (more ? 1 : 0));
      view.setUint32(header + 4, id);
    }
    cut.push(one);
  }
  return cut;
}

/** Layer-4 bytes of the datagrams that arrived, whole or in fragments, in the order of their completion. */
export function datagrams(frames: readonly { readonly bytes: Uint8Array }[]): Uint8Array[] {
  const whole: Uint8Array[] = [];
  const parts = new Map<number, { at: number; more: boolean; bytes: Uint8Array }[]>();
  for (const { bytes } of frames) {
    const frame = parsed(bytes);
    if (frame === undefined) throw new Error('a device received a frame that does not parse');
    if (frame.form !== FORM_FRAGMENT) {
      whole.push(bytes.slice(frame.l4, frame.l3End));
      continue;
    }
    const known = parts.get(frame.fragmentId) ?? [];
    known.push({
      at: frame.fragmentOffset,
      more: frame.fragmentMore,
      bytes: bytes.slice(frame.payload, frame.payload + frame.payloadLength),
    });
    parts.set(frame.fragmentId, known);
    const last = known.find((p) => !p.more);
    const length = known.reduce((sum, p) => sum + p.bytes.length, 0);
    if (last === undefined || length !== last.at + last.bytes.length) continue;
    parts.delete(frame.fragmentId);
    whole.push(Buffer.concat(known.sort((x, y) => x.at - y.at).map((p) => p.bytes)));
  }
  if (parts.size > 0) throw new Error(`${parts.size} datagrams arrived in part`);
  return whole;
}
