/** Seeded randomness and addresses for the tests of this folder. */
import { FORM_TCP, Frame, PROTO_TCP } from '#wire/frame.ts';

/** mulberry32: fills with bytes that depend on the seed alone. */
export function seeded(seed: number): (into: Uint8Array) => void {
  let state = seed;
  return (into) => {
    for (let i = 0; i < into.length; i++) {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      into[i] = t ^ (t >>> 14);
    }
  };
}

/** The same as numbers from 0 to 1. */
export function chances(seed: number): () => number {
  const fill = seeded(seed);
  const bytes = new Uint8Array(4);
  return () => {
    fill(bytes);
    return new DataView(bytes.buffer).getUint32(0) / 2 ** 32;
  };
}

/** ::ffff:0:0/96 and n. */
export const ipv4 = (n: number) => Int32Array.of(0, 0, 0xffff, n);

export const DEVICE = ipv4(0x0a000001);
export const PEER = ipv4(0x0a000002);

/** A TCP frame as parsing leaves it: from a source, port 1000, to a destination, port 80. */
export function tcpFrame(source: Int32Array, destination: Int32Array, more: Partial<Frame> = {}): Frame {
  const frame = new Frame();
  frame.source.set(source);
  frame.destination.set(destination);
  return Object.assign(frame, {
    form: FORM_TCP,
    ipVersion: 4,
    protocol: PROTO_TCP,
    sourcePort: 1000,
    destinationPort: 80,
    l3: 14,
    l3End: 114,
    ...more,
  });
}
