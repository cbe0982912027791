/**
 * Frame records: how a batch of frames is described beside the slab that holds their bytes.
 *
 * A batch is an Int32Array of records, F_STRIDE columns each. Columns 0–11 are the ports' (the addon reads and
 * writes the same numbers, `gateway/native/addon.h`); columns 12–19 belong to whoever owns the batch.
 */
export const F_OFFSET = 0; /* bytes from the start of the slab to the destination MAC address */
export const F_LENGTH = 1; /* bytes of the frame, without a VLAN tag that F_VLAN_TCI carries */
export const F_FLAGS = 2; /* VNET_* */
export const F_GSO_TYPE = 3; /* GSO_*; GSO_NONE for a single frame */
export const F_GSO_SIZE = 4; /* payload bytes of every segment but the last, 0 without GSO */
export const F_CSUM_START = 5; /* bytes from F_OFFSET to where the partial checksum starts */
export const F_CSUM_OFFSET = 6; /* bytes from F_CSUM_START to the checksum field */
export const F_VLAN_TCI = 7; /* outer tag's TCI (0–65535), -1 for none: Linux hands it beside the frame */
export const F_VLAN_TPID = 8; /* outer tag's TPID (0x8100, 0x88a8), 0 for none */
export const F_STATUS = 9; /* receive: bytes that did not fit the slot (0: whole); transmit: 0 or the errno */
export const F_PORT = 10; /* transmit: which port (PORT_*) */
/**
 * Transmit: index within the batch, plus one, of the record whose bytes follow in the same frame; 0 for none. The first
 * record of such a chain has the headers and says everything about the frame; of the others, which bear VNET_JOINED,
 * the port reads F_OFFSET, F_LENGTH and F_NEXT only, and sends them with their first.
 */
export const F_NEXT = 11;
export const F_STRIDE = 20;

/** F_FLAGS, as in struct virtio_net_hdr. */
export const VNET_NEEDS_CSUM = 1;
export const VNET_DATA_VALID = 2;
/** Transmit: the bytes of this record leave as part of another record's frame (F_NEXT). */
export const VNET_JOINED = 0x100;
/** Records behind the first of a chain, at most: with 64 segments of any path's size a superpacket is nearly full. */
export const JOINED_MAX = 63;

/** F_GSO_TYPE, as in struct virtio_net_hdr. */
export const GSO_NONE = 0;
export const GSO_TCPV4 = 1;
export const GSO_TCPV6 = 4;
export const GSO_UDP_L4 = 5;
export const GSO_ECN = 0x80;

/** Ports of a gateway; F_PORT. Frames toward the devices leave by INNER, frames toward the network by OUTER. */
export const PORT_OUTER = 0;
export const PORT_INNER = 1;
export const PORT_MGMT = 2;
export const PORTS = 3;

/** A receive slot: headroom for a longer header, then the largest frame a packet socket hands over. */
export const SLOT_HEADROOM = 256;
export const SLOT_SIZE = SLOT_HEADROOM + 65_536 + 256;
/** What a received frame leaves free at the end of its slot, for a trailer. */
export const SLOT_TAILROOM = 128;
