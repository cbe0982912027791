/** A sequence diagram of a simulated wire, for whoever reads why a run failed. */
import { isDprp } from '#wire/dprp.ts';
import { FORM_ECHO, FORM_ICMP_ERROR } from '#wire/frame.ts';
import { parsed } from './sim-frames.ts';

const DPRP_TYPES = ['?', 'DDE', 'RGI', 'MPIT', 'CDN', 'KSW', 'GE here', 'no association'];
const DPRP_TYPE = 5; /* § 2.1 */
/** The type of the DPRP message that an Echo carries, 0 for any other frame. */
export function dprpType(bytes: Uint8Array): number {
  const frame = parsed(bytes);
  if (frame?.form !== FORM_ECHO || !isDprp(bytes, frame.payload, frame.payloadLength)) return 0;
  return bytes[frame.payload + DPRP_TYPE];
}

/** A line for a DPRP message or an ICMP error; undefined for data. */
export function lineOf(at: number, from: 'a' | 'b', bytes: Uint8Array): string | undefined {
  const type = dprpType(bytes);
  const isError = parsed(bytes)?.form === FORM_ICMP_ERROR;
  if (type === 0 && !isError) return undefined;
  const what = isError ? 'ICMP error' : DPRP_TYPES[type];
  const arrow = from === 'a' ? `a ── ${what} ──► b` : `a ◄── ${what} ── b`;
  return `${at.toFixed(1).padStart(10)} ms  ${arrow}`;
}
