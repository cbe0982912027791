/**
 * What `sealed` authenticates beside the payload; `pccom` binds its payloads to the same fields (pccom-format.ts). 28
 * bytes for IPv4 and 52 for IPv6; it is never sent, both ends build it from what they see:
 *
 *    0       1       2       3       4               6               8
 *    +-------+-------+-------+-------+---------------+---------------+
 *    |D  ver.|protoc.| flags | code  |payload length |urgent pointer |  flags: TCP FIN … URG, ICMP type, or 0
 *    +-------+-------+-------+-------+---------------+---------------+  code: ICMP code, or 0
 *    |      sequence number          |    acknowledgement number     |  ICMP: bytes 4–7 of the header, then 0
 *    +---------------+---------------+-------------------------------+  UDP and the others: 0
 *    |  source port  |   dest. port  |  source and destination address …
 *    +---------------+---------------+----------------
 *
 * D is the top bit: 0 from the negotiation's initiator, 1 from its responder. The payload length is the plaintext's.
 * Port and address of a translated side are zeros, and so is an Echo's identifier when either side is translated.
 */
import { FORM_ECHO, FORM_TCP, FORM_UDP, type Frame } from '#wire/frame.ts';
import { TCP_ACKNOWLEDGEMENT, TCP_FLAGS, TCP_SEQUENCE, TCP_URGENT } from '#wire/tcp.ts';
import { isIcmp } from './datagram.ts';

const AAD_LENGTH_V4 = 28;
const AAD_LENGTH_V6 = 52;
/** Room for authenticated data in the work area, a multiple of 8. */
export const AAD_ROOM = 56;
/** The part of the TCP flags that is authenticated: FIN, SYN, RST, PSH, ACK, URG; ECE and CWR belong to the network. */
export const AUTHENTICATED_FLAGS = 0x3f;

/** Who speaks, and which side's addresses and ports are translated on the way: a SealedState or a PccomState. */
export interface Ends {
  readonly initiator: boolean;
  readonly translatedOwn: boolean;
  readonly translatedPeer: boolean;
}

export function aadLength(frame: Frame): number {
  return frame.ipVersion === 4 ? AAD_LENGTH_V4 : AAD_LENGTH_V6;
}

/**
 * Writes the authenticated data of `frame` to `at`; a segment of a superpacket then overwrites its own fields with
 * `writeSegmentAad`.
 * @param outbound true when sealing, false when opening: says which of the two addresses is ours
 */
export function writeAad(
  view: DataView,
  at: number,
  frame: Frame,
  state: Ends,
  outbound: boolean,
  payloadLength: number,
): void {
  const direction = state.initiator === outbound ? 0 : 0x80;
  const hideSource = outbound ? state.translatedOwn : state.translatedPeer;
  const hideDestination = outbound ? state.translatedPeer : state.translatedOwn;
  view.setUint16(at, ((direction | frame.ipVersion) << 8) | frame.protocol);
  view.setUint32(at + 4, payloadLength << 16);
  let ports = frame.form === FORM_TCP || frame.form === FORM_UDP;
  if (frame.form === FORM_TCP) {
    view.setUint16(at + 2, (frame.tcpFlags & AUTHENTICATED_FLAGS) << 8);
    view.setUint16(at + 6, view.getUint16(frame.l4 + TCP_URGENT));
    view.setUint32(at + 8, frame.sequence);
    view.setInt32(at + 12, view.getInt32(frame.l4 + TCP_ACKNOWLEDGEMENT));
  } else if (isIcmp(frame)) {
    view.setUint16(at + 2, (frame.icmpType << 8) | frame.icmpCode);
    const word = view.getInt32(frame.l4 + 4);
    view.setInt32(at + 8, frame.form === FORM_ECHO && (hideSource || hideDestination) ? word & 0xffff : word);
    view.setInt32(at + 12, 0);
    ports = false;
  } else {
    view.setUint16(at + 2, 0);
    view.setInt32(at + 8, 0);
    view.setInt32(at + 12, 0);
  }
  view.setUint16(at + 16, ports && !hideSource ? frame.sourcePort : 0);
  view.setUint16(at + 18, ports && !hideDestination ? frame.destinationPort : 0);
  let address = at + 20;
  for (let i = frame.ipVersion === 4 ? 3 : 0; i < 4; i++, address += 4) {
    view.setInt32(address, hideSource ? 0 : frame.source[i]);
  }
  for (let i = frame.ipVersion === 4 ? 3 : 0; i < 4; i++, address += 4) {
    view.setInt32(address, hideDestination ? 0 : frame.destination[i]);
  }
}

/** The fields in which the segments of one TCP frame differ, from the segment's own header at `l4`. */
export function writeSegmentAad(view: DataView, at: number, l4: number, payloadLength: number): void {
  view.setUint16(at + 2, (view.getUint8(l4 + TCP_FLAGS) & AUTHENTICATED_FLAGS) << 8);
  view.setUint16(at + 4, payloadLength);
  view.setUint16(at + 6, view.getUint16(l4 + TCP_URGENT));
  view.setInt32(at + 8, view.getInt32(l4 + TCP_SEQUENCE));
}
