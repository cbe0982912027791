/**
 * The tweak of `pccom`: what the ciphers bind a payload to without sending it (docs/transforms.md § pccom). It has the
 * layout of the authenticated data of aad.ts, 28 bytes for IPv4 and 52 for IPv6, with zeros where a field may
 * differ between the segments that GRO merges or that a later acknowledgement changes:
 *
 *    0       1       2       3       4               6               8
 *    +-------+-------+-------+-------+---------------+---------------+
 *    |D  ver.|protoc.| type  | code  |              0                |  type, code: ICMP's, else 0
 *    +-------+-------+-------+-------+-------------------------------+
 *    |      sequence number          |              0                |  ICMP: bytes 4–7 of the header; UDP and others: 0
 *    +---------------+---------------+-------------------------------+
 *    |  source port  |   dest. port  |  source and destination address …
 *    +---------------+---------------+----------------
 *
 * Port and address of a translated side are zeros, and so is an Echo's identifier when either side is translated.
 * Behind it stands what only the mask of a keyed checksum takes in:
 *
 *    | acknowledgement number, 4 | TCP flags FIN … URG, 1 | 0, 3 |   zeros where it is not TCP
 */
import { FORM_TCP, type Frame } from '#wire/frame.ts';
import { AAD_ROOM, AUTHENTICATED_FLAGS, aadLength, type Ends, writeAad } from './aad.ts';
import { TWEAK_SEQUENCE } from './cipher.ts';

/** Bytes behind the tweak that only OP_MASK reads. */
export const MASK_EXTRA = 8;
/** Room for a tweak and the mask's bytes behind it, a multiple of 8. */
export const TWEAK_ROOM = AAD_ROOM + MASK_EXTRA;

/**
 * Writes the tweak of `frame` to `at`, the mask's bytes behind it; for TCP it is the first segment's.
 * @param outbound true when enciphering, false when deciphering: says which of the two addresses is ours
 */
export function writeTweak(view: DataView, at: number, frame: Frame, ends: Ends, outbound: boolean): void {
  const extra = at + aadLength(frame);
  writeAad(view, at, frame, ends, outbound, 0);
  view.setInt32(extra, 0);
  view.setInt32(extra + 4, 0);
  if (frame.form !== FORM_TCP) return;
  view.setUint16(at + 2, 0);
  view.setInt32(at + 4, 0);
  view.setInt32(at + 12, 0);
  view.setUint32(extra, frame.acknowledgement);
  view.setUint8(extra + 4, frame.tcpFlags & AUTHENTICATED_FLAGS);
}

/** The fields in which the parts of one TCP frame differ. */
export function writePartTweak(view: DataView, at: number, frame: Frame, sequence: number, flags: number): void {
  view.setUint32(at + TWEAK_SEQUENCE, sequence);
  view.setUint8(at + aadLength(frame) + 4, flags & AUTHENTICATED_FLAGS);
}
