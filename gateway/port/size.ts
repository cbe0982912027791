/** What no link carries is refused before the kernel sees it: of a superpacket it would be lost without an error. */
import { constants } from 'node:os';
import { ETHER_HEADER, ETHER_TYPE, INLINE_TAGS_MAX, isVlanType, VLAN_TAG } from '#wire/ethernet.ts';
import { ETHERTYPE_IPV4, IP_LENGTH_MAX } from '#wire/frame.ts';
import {
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_PORT,
  F_STATUS,
  F_STRIDE,
  GSO_ECN,
  GSO_NONE,
  GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { TCP_HEADER } from '#wire/tcp.ts';
import { UDP_HEADER } from '#wire/udp.ts';
import { frameLength, isJoined } from './chain.ts';

const { EINVAL, EMSGSIZE } = constants.errno;

/**
 * Writes 0, EMSGSIZE or EINVAL to F_STATUS of the records `first … first + count - 1` (those with F_PORT `only` unless
 * `only` is -1) but those that bear VNET_JOINED. `mtu` counts bytes of layer 3, behind all tags. Runs for every frame
 * sent: integers only.
 */
export function refuseUnsendable(
  slab: Uint8Array,
  batch: Int32Array,
  first: number,
  count: number,
  only: number,
  mtu: number,
): void {
  const end = (first + count) * F_STRIDE;
  for (let column = first * F_STRIDE; column < end; column += F_STRIDE) {
    if ((only >= 0 && batch[column + F_PORT] !== only) || isJoined(batch, column)) continue;
    const size = packetSize(slab, batch, column);
    batch[column + F_STATUS] = size < 0 ? EINVAL : size > mtu ? EMSGSIZE : 0;
  }
}

/** Layer-3 bytes of the largest packet that the frame becomes on the link; -1 where the record is no frame. */
function packetSize(slab: Uint8Array, batch: Int32Array, column: number): number {
  const offset = batch[column + F_OFFSET];
  const length = batch[column + F_LENGTH];
  const total = frameLength(slab, batch, column);
  if (length < ETHER_HEADER || total < 0) return -1;
  const end = offset + length;
  const joined = total - length;
  let type = offset + ETHER_TYPE;
  for (let tags = 0; tags < INLINE_TAGS_MAX && isVlanType((slab[type] << 8) | slab[type + 1]); tags++) {
    type += VLAN_TAG;
    if (type + 2 > end) return -1;
  }
  const l3 = type + 2;
  const gso = batch[column + F_GSO_TYPE] & ~GSO_ECN;
  const whole = end + joined - l3;
  if (gso === GSO_NONE || (joined > 0 && whole > IP_LENGTH_MAX)) return whole;
  let l4 = offset + batch[column + F_CSUM_START];
  if ((batch[column + F_FLAGS] & VNET_NEEDS_CSUM) === 0) {
    const isIpv4 = ((slab[type] << 8) | slab[type + 1]) === ETHERTYPE_IPV4;
    l4 = l3 + (isIpv4 ? (slab[l3] & 0x0f) * 4 : 40);
  }
  const isUdp = gso === GSO_UDP_L4;
  if (l4 < l3 || l4 + (isUdp ? UDP_HEADER : TCP_HEADER) > end) return -1;
  const payload = l4 + (isUdp ? UDP_HEADER : (slab[l4 + 12] >> 4) * 4);
  const segment = batch[column + F_GSO_SIZE];
  if (segment < 1 || payload > end) return -1;
  return payload - l3 + Math.min(segment, end + joined - payload);
}
