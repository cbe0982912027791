/**
 * Ethernet II and IEEE 802.1Q.
 *
 *    0               6              12      14
 *    +---------------+---------------+-------+----------------
 *    |  destination  |    source     | type  | payload …
 *    +---------------+---------------+-------+----------------
 *                                    \ a tag's type ‖ TCI, up to twice, before the type
 */
export const ETHER_SOURCE = 6;
export const ETHER_TYPE = 12;
export const ETHER_HEADER = 14;
export const MAC_LENGTH = 6;

export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_QINQ = 0x88a8;
export const ETHERTYPE_EAPOL = 0x888e;

export const VLAN_TAG = 4;
/** Tags inside the frame that are looked through; a frame with more is refused, since nobody sees what it carries. */
export const INLINE_TAGS_MAX = 2;

/** IEEE 802.1Q, 802.1ad, and the types that switches used for stacked tags before that was written. */
export function isVlanType(type: number): boolean {
  return type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ || type === 0x9100 || type === 0x9200 || type === 0x9300;
}

/** True for a group address (IEEE 802 I/G bit): multicast and broadcast. */
export function macIsGroup(bytes: Uint8Array, at: number): boolean {
  return (bytes[at] & 1) !== 0;
}

export function macIsBroadcast(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < MAC_LENGTH; i++) if (bytes[at + i] !== 0xff) return false;
  return true;
}

/** Turns a layer-2 header round: the frame then goes back where it came from. */
export function macSwap(bytes: Uint8Array, at: number): void {
  for (let i = at; i < at + MAC_LENGTH; i++) {
    const byte = bytes[i];
    bytes[i] = bytes[i + MAC_LENGTH];
    bytes[i + MAC_LENGTH] = byte;
  }
}

/** A MAC address as one number below 2^48, for messages between threads. */
export function macNumber(bytes: Uint8Array, at: number): number {
  const high = (bytes[at] << 8) | bytes[at + 1];
  const low = ((bytes[at + 2] << 24) | (bytes[at + 3] << 16) | (bytes[at + 4] << 8) | bytes[at + 5]) >>> 0;
  return high * 0x1_0000_0000 + low;
}

/** Six bytes from `02:00:5e:10:00:01` or `02-00-5E-10-00-01`; undefined for anything else. */
export function macFromText(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}([:-])[0-9a-f]{2}(\1[0-9a-f]{2}){4}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (digits) => Number.parseInt(digits, 16));
}

/**
 * Copies the layer-2 header in front of a frame's IP packet (both MACs, inline tags, type) for later frames of our own
 * that travel the same way. Returns its length; `into` has room for ETHER_HEADER + 2 * VLAN_TAG bytes.
 */
export function copyLinkHeader(slab: Uint8Array, at: number, l3: number, into: Uint8Array, intoAt: number): number {
  for (let i = at; i < l3; i++) into[intoAt + i - at] = slab[i];
  return l3 - at;
}
