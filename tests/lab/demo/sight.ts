/** A frame as its device sends it beside the same frame as the wire carries it. */
import { MARKER } from '#kit/payload.ts';
import { type CapturedFrame, framesWith, hexLines, tcpSegment } from '#kit/pcap.ts';

/** Payload that makes the difference plain to see, bytes. */
const WORTH_SEEING = 200;
/** From each frame, bytes: headers, options and the beginning of the payload. */
const SHOWN = 144;
const COLUMN = 8;

export interface Sight {
  readonly sequence: number;
  /** Bytes of the frame, Ethernet header included. */
  readonly sentBytes: number;
  readonly carriedBytes: number;
  readonly sent: readonly string[];
  readonly carried: readonly string[];
}

/** Finds a segment with readable payload in `sent` and the one with the same octets of its stream in `carried`. */
export function sameSegment(sent: readonly CapturedFrame[], carried: readonly CapturedFrame[]): Sight | undefined {
  const key = (f: CapturedFrame): string => {
    const s = tcpSegment(f);
    return s === undefined || s.payloadBytes < WORTH_SEEING
      ? ''
      : `${s.sourcePort} ${s.destinationPort} ${s.sequence} ${s.payloadBytes}`;
  };
  const onWire = new Map(carried.map((f) => [key(f), f]));
  for (const f of framesWith(sent, [MARKER])) {
    const other = key(f) === '' ? undefined : onWire.get(key(f));
    if (other === undefined) continue;
    const sequence = tcpSegment(f)?.sequence ?? 0;
    return {
      sequence,
      sentBytes: f.bytes.length,
      carriedBytes: other.bytes.length,
      sent: hexLines(f.bytes, SHOWN, COLUMN),
      carried: hexLines(other.bytes, SHOWN, COLUMN),
    };
  }
  return undefined;
}

/** Two columns of lines with their titles. */
export function sideBySide(left: readonly string[], right: readonly string[]): string[] {
  const width = Math.max(...left.map((l) => l.length));
  return left.map((l, i) => `${l.padEnd(width)}   │   ${right[i] ?? ''}`.trimEnd());
}
