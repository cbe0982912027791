/**
 * What the ports are made of, owned by main and lent to the workers by number. Packet sockets of all ports and workers
 * are created in worker order, closed all of a port or none, and only after no worker uses them any more; interfaces
 * opened by libpcap are the one worker's on main's own thread.
 */
import { native } from '#native/native.ts';
import { openPacketSockets, openPorts } from '#port/packet.ts';
import { PcapPort } from '#port/pcap.ts';
import { PORT_OUTER, PORTS } from '#wire/record.ts';

/** Socket buffers: about 100 superpackets in, and what a batch sends out. */
const RECEIVE_BYTES = 8_388_608;
const SEND_BYTES = 4_194_304;

export interface PortOwner {
  /** Opens a port that lets nothing in yet. @throws Error with the system's reason */
  open(role: number, name: string, mtu: number): void;
  /** Lets traffic in on these ports, once the workers have them. */
  admit(roles: readonly number[]): void;
  /** For every worker, its numbers by PORT_*, -1 where a port is absent. */
  all(): number[][];
  /** Takes a port away; close what is returned once no worker uses it. */
  remove(role: number): readonly number[];
  close(numbers: readonly number[]): void;
  closeAll(): void;
}

/** Numbers are descriptors. */
export class PortSockets implements PortOwner {
  readonly #workers: number;
  readonly #mark: number;
  /** By PORT_*, then by worker. */
  readonly #fds: (readonly number[] | undefined)[] = Array.from({ length: PORTS }, () => undefined);

  constructor(workers: number, mark: number) {
    this.#workers = workers;
    this.#mark = mark;
  }

  /** The sockets stand behind their drop-all filter. */
  open(role: number, name: string): void {
    this.#fds[role] = openPacketSockets(name, {
      workers: this.#workers,
      mark: this.#mark,
      receiveBytes: RECEIVE_BYTES,
      sendBytes: SEND_BYTES,
      fromNetwork: role === PORT_OUTER,
    });
  }

  admit(roles: readonly number[]): void {
    openPorts(roles.flatMap((role) => this.#fds[role] ?? []));
  }

  ofWorker(worker: number): number[] {
    return this.#fds.map((fds) => fds?.[worker] ?? -1);
  }

  all(): number[][] {
    return Array.from({ length: this.#workers }, (_, worker) => this.ofWorker(worker));
  }

  remove(role: number): readonly number[] {
    const fds = this.#fds[role] ?? [];
    this.#fds[role] = undefined;
    return fds;
  }

  close(fds: readonly number[]): void {
    for (const fd of fds) native.closeSocket(fd);
  }

  closeAll(): void {
    for (let role = 0; role < PORTS; role++) this.close(this.remove(role));
  }
}

/** Numbers count the interfaces that were opened. */
export class PcapPorts implements PortOwner {
  readonly #mark: number;
  readonly #ports = new Map<number, PcapPort>();
  #opened = 0;
  /** By PORT_*; -1 where a port is absent. */
  readonly #numbers: number[] = Array.from({ length: PORTS }, () => -1);

  constructor(mark: number) {
    this.#mark = mark;
  }

  open(role: number, name: string, mtu: number): void {
    const port = new PcapPort(name, mtu, { mark: this.#mark, sendBytes: SEND_BYTES });
    this.#ports.set(this.#opened, port);
    this.#numbers[role] = this.#opened++;
  }

  /** The port of a number that `all` gave and `close` did not take back. */
  at(number: number): PcapPort {
    const port = this.#ports.get(number);
    if (port === undefined) throw new RangeError(`port ${number} is closed`);
    return port;
  }

  admit(roles: readonly number[]): void {
    for (const role of roles) this.#ports.get(this.#numbers[role])?.admit();
  }

  all(): number[][] {
    return [[...this.#numbers]];
  }

  remove(role: number): readonly number[] {
    const number = this.#numbers[role];
    this.#numbers[role] = -1;
    return number < 0 ? [] : [number];
  }

  close(numbers: readonly number[]): void {
    for (const number of numbers) {
      this.#ports.get(number)?.close();
      this.#ports.delete(number);
    }
  }

  closeAll(): void {
    for (let role = 0; role < PORTS; role++) this.close(this.remove(role));
  }
}
