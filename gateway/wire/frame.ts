/**
 * One parsed frame. A worker owns a single Frame and parses every received frame into it: no object per packet.
 * All offsets are absolute in the slab. Parsing checks every length once; what reads a Frame afterwards cannot fail.
 */
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;

export const PROTO_ICMP = 1;
export const PROTO_TCP = 6;
export const PROTO_UDP = 17;
export const PROTO_ICMPV6 = 58;

/** Frame.form: what the layers above Ethernet turned out to be. */
export const FORM_NON_IP = 0;
export const FORM_TCP = 1;
export const FORM_UDP = 2;
/** ICMP or ICMPv6 Echo Request or Reply. */
export const FORM_ECHO = 3;
/** ICMP or ICMPv6 error: `payload` is the quoted packet. */
export const FORM_ICMP_ERROR = 4;
/** Every other IP packet, other ICMP included: `payload` is the IP payload. */
export const FORM_OTHER = 5;
/** A fragment of an IP packet: layer 4 is not looked at. */
export const FORM_FRAGMENT = 6;

/** Largest IP packet, both versions: the length fields' 16 bits. */
export const IP_LENGTH_MAX = 65_535;

export class Frame {
  /* layer 2 */
  offset = 0; /* destination MAC */
  length = 0;
  etherType = 0; /* behind inline tags */
  vlanTci = -1; /* tag that travels beside the frame */
  vlanTpid = 0;
  /* layer 3; valid unless FORM_NON_IP */
  form = 0;
  ipVersion = 0;
  l3 = 0; /* IP header */
  l3End = 0; /* behind the IP packet: Ethernet padding is beyond it */
  protocol = 0; /* IPv6: behind extension headers */
  /** Addresses as four 32-bit words each, IPv4 as ::ffff:a.b.c.d. */
  readonly source = new Int32Array(4);
  readonly destination = new Int32Array(4);
  /* fragments (FORM_FRAGMENT) */
  fragmentId = 0;
  fragmentOffset = 0; /* bytes */
  fragmentMore = false;
  dontFragment = false; /* IPv4 DF; always true for IPv6 */
  ipOptions = false; /* IPv4 options or IPv6 extension headers are present */
  /* layer 4 */
  l4 = 0; /* first byte of the layer-4 header */
  payload = 0; /* first byte of what a transform encrypts */
  payloadLength = 0; /* up to l3End (UDP: up to the UDP length) */
  sourcePort = 0; /* ICMP echo: identifier in both ports */
  destinationPort = 0;
  /* TCP */
  sequence = 0; /* unsigned 32 bits */
  acknowledgement = 0;
  tcpFlags = 0; /* FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128 */
  tcpHeaderLength = 0;
  /* ICMP */
  icmpType = 0;
  icmpCode = 0;
  /* as received */
  gsoType = 0; /* GSO_*, without GSO_ECN */
  gsoEcn = false;
  gsoSize = 0;
  checksumVerified = false; /* NEEDS_CSUM or DATA_VALID */
}

/** Back to zero, but for where the frame lies and its tag beside: parsing sets only what it finds. */
export function clearFrame(frame: Frame): void {
  frame.etherType = 0;
  frame.l3 = 0;
  frame.l3End = 0;
  frame.l4 = 0;
  frame.payload = 0;
  frame.payloadLength = 0;
  frame.form = FORM_NON_IP;
  frame.ipVersion = 0;
  frame.protocol = 0;
  for (let word = 0; word < 4; word++) {
    frame.source[word] = 0;
    frame.destination[word] = 0;
  }
  frame.fragmentId = 0;
  frame.fragmentOffset = 0;
  frame.fragmentMore = false;
  frame.dontFragment = false;
  frame.ipOptions = false;
  frame.sourcePort = 0;
  frame.destinationPort = 0;
  frame.sequence = 0;
  frame.acknowledgement = 0;
  frame.tcpFlags = 0;
  frame.tcpHeaderLength = 0;
  frame.icmpType = 0;
  frame.icmpCode = 0;
  frame.gsoType = 0;
  frame.gsoEcn = false;
  frame.gsoSize = 0;
  frame.checksumVerified = false;
}

/** Everything from `at` to `end` is what a transform encrypts; a form with a layer-4 header then moves `payload` on. */
export function setPayload(frame: Frame, form: number, at: number, end: number): void {
  frame.form = form;
  frame.l4 = at;
  frame.payload = at;
  frame.payloadLength = end - at;
}
