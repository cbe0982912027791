/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443).
 *
 *    0       1       2               4                               8
 *    +-------+-------+---------------+-------------------------------+----------------
 *    | type  | code  |   checksum    | Echo: identifier ‖ sequence   | data …
 *    |       |       |               | error: by type (MTU, pointer) | quoted packet …
 *    +-------+-------+---------------+-------------------------------+----------------
 */
import { dropCode } from './drops.ts';
import { FORM_ECHO, FORM_ICMP_ERROR, type Frame } from './frame.ts';
export const ICMP_TYPE = 0;
export const ICMP_CODE = 1;
export const ICMP_CHECKSUM = 2;
export const ICMP_HEADER = 8;

export const ECHO_ID = 4;
export const ECHO_SEQUENCE = 6;

export const ICMP4_ECHO_REPLY = 0;
export const ICMP4_UNREACHABLE = 3;
export const ICMP4_SOURCE_QUENCH = 4;
export const ICMP4_REDIRECT = 5;
export const ICMP4_ECHO_REQUEST = 8;
export const ICMP4_TIME_EXCEEDED = 11;
export const ICMP4_PARAMETER = 12;

export const ICMP6_UNREACHABLE = 1;
export const ICMP6_TOO_BIG = 2;
export const ICMP6_ECHO_REQUEST = 128;
export const ICMP6_ECHO_REPLY = 129;

export const ICMP4_CODE_FRAGMENTATION_NEEDED = 4;
/** Next-hop MTU: 16 bits in ICMP (RFC 1191), 32 bits from ERROR_MTU4 - 2 on in ICMPv6. */
export const ERROR_MTU4 = 6;
export const ERROR_MTU6 = 4;

/** True for Echo Request and Reply of the given IP version. */
export function icmpIsEcho(ipVersion: number, type: number): boolean {
  return ipVersion === 4
    ? type === ICMP4_ECHO_REQUEST || type === ICMP4_ECHO_REPLY
    : type === ICMP6_ECHO_REQUEST || type === ICMP6_ECHO_REPLY;
}

/** True for messages that quote the packet they are about (RFC 1122 §3.2.2; RFC 4443 §2.1: types below 128). */
export function icmpIsError(ipVersion: number, type: number): boolean {
  if (ipVersion === 6) return type < 128;
  return (
    type === ICMP4_UNREACHABLE ||
    type === ICMP4_SOURCE_QUENCH ||
    type === ICMP4_REDIRECT ||
    type === ICMP4_TIME_EXCEEDED ||
    type === ICMP4_PARAMETER
  );
}

const BAD_ICMP = dropCode('icmp-bad-header');

/** Reads the header at `l4` into `frame`. Returns 0 or a drop code. */
export function parseIcmp(slab: Uint8Array, view: DataView, frame: Frame, l4: number): number {
  if (l4 + ICMP_HEADER > frame.l3End) return BAD_ICMP;
  frame.icmpType = slab[l4 + ICMP_TYPE];
  frame.icmpCode = slab[l4 + ICMP_CODE];
  if (icmpIsEcho(frame.ipVersion, frame.icmpType)) {
    frame.form = FORM_ECHO;
    frame.sourcePort = view.getUint16(l4 + ECHO_ID);
    frame.destinationPort = frame.sourcePort;
  } else if (icmpIsError(frame.ipVersion, frame.icmpType)) {
    frame.form = FORM_ICMP_ERROR;
  } else {
    return 0;
  }
  frame.payload = l4 + ICMP_HEADER;
  frame.payloadLength = frame.l3End - frame.payload;
  return 0;
}
