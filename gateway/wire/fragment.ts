/** A fragment of an IP packet, either version (RFC 791 §3.2, RFC 8200 §4.5). */
import { dropCode } from './drops.ts';
import { FORM_FRAGMENT, type Frame, IP_LENGTH_MAX, setPayload } from './frame.ts';

const BAD_LENGTH = dropCode('ip-bad-length');

/**
 * Notes a fragment whose data begins at `at` and ends at `frame.l3End`. Refused where no whole packet could come of it:
 * no data, a length that is no multiple of 8 though more follows, an end beyond the largest packet.
 * @param offset of the data in the whole packet, bytes
 * @param counted bytes besides the data that the whole packet's length field counts
 * @returns 0 or a drop code
 */
export function parseFragment(frame: Frame, at: number, offset: number, more: boolean, counted: number): number {
  const length = frame.l3End - at;
  if (length === 0 || (more && (length & 7) !== 0) || counted + offset + length > IP_LENGTH_MAX) return BAD_LENGTH;
  frame.fragmentOffset = offset;
  frame.fragmentMore = more;
  setPayload(frame, FORM_FRAGMENT, at, frame.l3End);
  return 0;
}
