/**
 * What is never negotiated (§ 3.8): decided from the frame alone, before any table is asked.
 */
import { ADDRESS_UNICAST, addressClass } from '#wire/address.ts';
import { isDhcp } from '#wire/dhcp.ts';
import { ETHERTYPE_ARP, ETHERTYPE_EAPOL, macIsBroadcast } from '#wire/ethernet.ts';
import { FORM_NON_IP, FORM_OTHER, type Frame, PROTO_ICMPV6 } from '#wire/frame.ts';
import { IPV6_HOP_LIMIT } from '#wire/ipv6.ts';

/** A pair's traffic: the PIT decides. */
export const CLASS_PAIR = 0;
/** ARP, neighbour and router discovery, DHCP, EAPOL: always passes. */
export const CLASS_ALWAYS = 1;
/** Spanning tree, LLDP and everything else that is not IP: by configuration. */
export const CLASS_NON_IP = 2;
/** Multicast, broadcast, link-local: passes in open mode; in closed mode only what an exception names. */
export const CLASS_LOCAL = 3;
/** A subnet's own broadcast, by its looks: like CLASS_LOCAL, unless the address turns out to be a single host's. */
export const CLASS_BROADCAST = 4;

const ND_FIRST = 133; /* router solicitation (RFC 4861) */
const ND_LAST = 137; /* redirect */
const ND_HOP_LIMIT = 255; /* RFC 4861 §6.1: anything else was forwarded and is not neighbour discovery */

export function classify(slab: Uint8Array, view: DataView, frame: Frame): number {
  if (frame.form === FORM_NON_IP) {
    return frame.etherType === ETHERTYPE_ARP || frame.etherType === ETHERTYPE_EAPOL ? CLASS_ALWAYS : CLASS_NON_IP;
  }
  if (isDhcp(view, frame)) return CLASS_ALWAYS;
  if (
    frame.form === FORM_OTHER &&
    frame.protocol === PROTO_ICMPV6 &&
    frame.icmpType >= ND_FIRST &&
    frame.icmpType <= ND_LAST &&
    frame.icmpCode === 0 &&
    slab[frame.l3 + IPV6_HOP_LIMIT] === ND_HOP_LIMIT
  ) {
    return CLASS_ALWAYS;
  }
  if (addressClass(frame.source) !== ADDRESS_UNICAST || addressClass(frame.destination) !== ADDRESS_UNICAST) {
    return CLASS_LOCAL;
  }
  return isSubnetBroadcast(slab, frame) ? CLASS_BROADCAST : CLASS_PAIR;
}

/**
 * A gateway does not know the subnets of its devices, but their broadcast addresses end in two ones at least. The MAC
 * address alone says nothing: a forged ARP answer, or a load balancer, gives single hosts group addresses.
 */
function isSubnetBroadcast(slab: Uint8Array, frame: Frame): boolean {
  return frame.ipVersion === 4 && (frame.destination[3] & 3) === 3 && macIsBroadcast(slab, frame.offset);
}
