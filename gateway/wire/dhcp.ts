/**
 * DHCP (RFC 2131, in BOOTP's form of RFC 951) and DHCPv6 (RFC 8415), as far as it takes to tell them from anything else
 * that uses their ports: they pass where nothing else does.
 *
 *    0    op 1, htype 1, hlen 6 …          236  magic cookie 63 82 53 63, then options
 *
 *    0    message type, 3 bytes of id      4    options {code 2, length 2, …}      (a relay's options begin at 34)
 */
import { FORM_UDP, type Frame } from './frame.ts';

const SERVER4 = 67;
const CLIENT4 = 68;
const SERVER6 = 547;
const CLIENT6 = 546;

const BOOTP_ETHERNET = 0x0106; /* htype and hlen */
const COOKIE_AT = 236;
const COOKIE = 0x63825363;

const RELAY_FORWARD = 12;
const RELAY_REPLY = 13;
const TYPE_LAST = 23; /* RFC 7653 */
const OPTIONS_AT = 4;
const RELAY_OPTIONS_AT = 34;
const OPTION_HEADER = 4;

/** True for a frame of FORM_UDP between the protocol's ports whose payload has the protocol's form. */
export function isDhcp(view: DataView, frame: Frame): boolean {
  if (frame.form !== FORM_UDP) return false;
  const { sourcePort: from, destinationPort: to } = frame;
  if (frame.ipVersion === 4) {
    const ports = (to === SERVER4 && (from === CLIENT4 || from === SERVER4)) || (to === CLIENT4 && from === SERVER4);
    return ports && isBootp(view, frame.payload, frame.payloadLength);
  }
  const ports = (to === SERVER6 && (from === CLIENT6 || from === SERVER6)) || (to === CLIENT6 && from === SERVER6);
  return ports && isDhcp6(view, frame.payload, frame.payload + frame.payloadLength);
}

function isBootp(view: DataView, at: number, length: number): boolean {
  if (length < COOKIE_AT + 4) return false;
  const op = view.getUint8(at);
  return (
    (op === 1 || op === 2) && view.getUint16(at + 1) === BOOTP_ETHERNET && view.getInt32(at + COOKIE_AT) === COOKIE
  );
}

/** The options fill the message to its last byte. */
function isDhcp6(view: DataView, at: number, end: number): boolean {
  if (at + OPTIONS_AT > end) return false;
  const type = view.getUint8(at);
  if (type < 1 || type > TYPE_LAST) return false;
  let option = at + (type === RELAY_FORWARD || type === RELAY_REPLY ? RELAY_OPTIONS_AT : OPTIONS_AT);
  while (option + OPTION_HEADER <= end) option += OPTION_HEADER + view.getUint16(option + 2);
  return option === end;
}
