/**
 * A plain host at the end of a simulated wire: no gateway stands before it. Its kernel answers pings, or it is silent.
 */
import type { FakeFrame, FakePort } from '#port/fake.ts';
import { wordsToBytes } from '#wire/address.ts';
import { macSwap } from '#wire/ethernet.ts';
import { FORM_ECHO } from '#wire/frame.ts';
import { ICMP4_ECHO_REQUEST, ICMP6_ECHO_REQUEST, writeEcho } from '#wire/icmp.ts';
import { parsed } from './sim-frames.ts';

export class SimHost {
  /** Everything that reached it, pings of DPRP included. */
  readonly received: FakeFrame[] = [];
  answers: 'echoes' | 'silent';
  readonly port: FakePort;

  constructor(port: FakePort, answers: 'echoes' | 'silent') {
    this.port = port;
    this.answers = answers;
  }

  get busy(): boolean {
    return this.port.waiting > 0;
  }

  turn(): void {
    for (const frame of this.port.collect()) {
      this.received.push(frame);
      const answer = this.answers === 'echoes' ? echoOf(frame.bytes) : undefined;
      if (answer !== undefined) this.port.send({ ...frame, bytes: answer });
    }
  }
}

/** The Echo Reply to an Echo Request, as any kernel makes it. */
export function echoOf(bytes: Uint8Array): Uint8Array | undefined {
  const frame = parsed(bytes);
  if (frame?.form !== FORM_ECHO) return undefined;
  if (frame.icmpType !== (frame.ipVersion === 4 ? ICMP4_ECHO_REQUEST : ICMP6_ECHO_REQUEST)) return undefined;
  const answer = bytes.slice();
  const view = new DataView(answer.buffer);
  macSwap(answer, 0);
  writeEcho(
    answer,
    view,
    frame.l3,
    frame.ipVersion as 4 | 6,
    wordsToBytes(frame.destination),
    wordsToBytes(frame.source),
    'reply',
    frame.sourcePort,
    view.getUint16(frame.l4 + 6),
    bytes.slice(frame.payload, frame.payload + frame.payloadLength),
  );
  return answer;
}
