/**
 * A port: an edge where frames come and go. Implementations: `packet` (Linux packet sockets), `pcap` (libpcap), `fake`
 * (in memory). The same suite runs on all of them. A port belongs to one thread.
 */
export interface Port {
  /** The interface's name, for messages. */
  readonly name: string;
  /** Largest layer-3 packet the link carries, bytes. */
  readonly mtu: number;
  /**
   * True when `transmit` takes superpackets that nobody handed over as such, and the link cuts them: frames may be
   * merged for this port. Absent: false.
   */
  readonly superpackets?: boolean;
  /** True when these may be UDP's as well (GSO_UDP_L4). Absent: false. */
  readonly datagrams?: boolean;
  /**
   * Takes up to `max` waiting frames, without blocking, into slots `firstSlot…` of the slab's receive area (slot i
   * begins at i * SLOT_SIZE, its frame at + SLOT_HEADROOM) and their records into the same places of `batch`.
   * Returns how many; 0 when none waits. Frames that the port itself sent are never returned.
   */
  receive(slab: Uint8Array, batch: Int32Array, firstSlot: number, max: number): number;
  /**
   * Sends the records `first … first + count - 1` of `batch` in order, without blocking, and writes 0 or an errno to
   * each F_STATUS. A partial checksum (VNET_NEEDS_CSUM) is completed by the port or the link. With `only`, records
   * whose F_PORT is another are passed over, untouched.
   *
   * Records that F_NEXT chains leave as one frame, in their first record's place, wherever in `batch` the others are;
   * these are not sent by themselves and get the status of their first.
   *
   * EMSGSIZE: the packet, or a superpacket's segment, is larger than the MTU. EINVAL: less than an Ethernet header, the
   * record contradicts the frame, or F_NEXT leads nowhere or in a circle. ENOBUFS, EAGAIN: the queue is full. ENETDOWN,
   * ENXIO: the link is down, is gone.
   */
  transmit(slab: Uint8Array, batch: Int32Array, first: number, count: number, only?: number): void;
  /** Frames the kernel dropped before they could be received, since the last call. */
  takeOverruns(): number;
  /** Errors that `receive` met since the last call; one comes whenever the link goes down. */
  takeErrors(): number;
  /** The descriptor to wait on; -1 for a port that has none. */
  readonly fd: number;
  close(): void;
}
