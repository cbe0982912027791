/** A port on a Linux packet socket. */
import { native } from '#native/native.ts';
import { carriesDatagrams } from './datagrams.ts';
import { fanoutProgram } from './fanout.ts';
import type { Port } from './port.ts';
import { refuseUnsendable } from './size.ts';

/** What the sockets of a port are opened with. */
export interface PacketOptions {
  /** One socket, one fanout member, for each worker; 1–64. */
  readonly workers: number;
  /** SO_MARK of everything sent: the egress drop lets only this pass. */
  readonly mark: number;
  /** Bytes of socket buffer; the kernel doubles them for its own book-keeping. */
  readonly receiveBytes: number;
  readonly sendBytes: number;
  /** True for the outer port: an ICMP error there goes to the worker of the pair that it quotes. */
  readonly fromNetwork?: boolean;
}

/**
 * Opens the sockets of one interface, index = worker. They receive nothing until `openPorts`; the main thread owns
 * them, passes them to the workers by number, and closes all of a port or none: the others would move up.
 */
export function openPacketSockets(name: string, options: PacketOptions): readonly number[] {
  const { workers, mark, receiveBytes, sendBytes, fromNetwork = false } = options;
  return native.openSockets(name, workers, mark, receiveBytes, sendBytes, fanoutProgram(fromNetwork));
}

/** Lets traffic in, once the sockets of all ports of the gateway exist. */
export function openPorts(fds: readonly number[]): void {
  native.openForTraffic(Int32Array.from(fds), fds.length);
}

/** One worker's socket of one interface. `mtu` is the network's, without what the interface has on top for tags. */
export class PacketPort implements Port {
  readonly fd: number;
  readonly name: string;
  readonly mtu: number;
  readonly superpackets = true;
  readonly datagrams = carriesDatagrams();
  #errors = 0;

  constructor(fd: number, name: string, mtu: number) {
    this.fd = fd;
    this.name = name;
    this.mtu = mtu;
  }

  /**
   * What `native.next` took for this port, into slot 0 and on; undefined: it was not asked. The next `receive` returns
   * it.
   */
  taken: number | undefined = undefined;

  receive(slab: Uint8Array, batch: Int32Array, firstSlot: number, max: number): number {
    const { taken } = this;
    if (taken !== undefined) {
      this.taken = undefined;
      if (taken >= 0) return taken;
      this.#errors++;
      return 0;
    }
    const got = native.receive(this.fd, slab, batch, firstSlot, max);
    if (got >= 0) return got;
    this.#errors++;
    return 0;
  }

  transmit(slab: Uint8Array, batch: Int32Array, first: number, count: number, only = -1): void {
    refuseUnsendable(slab, batch, first, count, only, this.mtu);
    native.transmit(this.fd, slab, batch, first, count, only);
  }

  takeOverruns(): number {
    return native.takeOverruns(this.fd);
  }

  takeErrors(): number {
    const errors = this.#errors;
    this.#errors = 0;
    return errors;
  }

  close(): void {
    native.closeSocket(this.fd);
  }
}
