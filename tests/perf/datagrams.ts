/**
 * What a small datagram costs one thread on its way through two gateways, on veth links of a namespace of its own:
 * nanoseconds by gateway, the kernel's part of sending included, printed, never asserted. Needs root.
 * Run: node_modules/.bin/node tests/perf/datagrams.ts [payload bytes] [rounds]
 */
import { randomBytes } from 'node:crypto';
import { Datapath } from '#datapath/datapath.ts';
import type { Millis } from '#dprp/spec.ts';
import { openPacketSockets, openPorts, PacketPort } from '#port/packet.ts';
import { createNativeProvider } from '#transform/providers/native.ts';
import { DROPS } from '#wire/drops.ts';
import { ipv4SetId } from '#wire/ipv4.ts';
import {
  F_LENGTH,
  F_OFFSET,
  F_STRIDE,
  F_VLAN_TCI,
  PORT_INNER,
  PORT_OUTER,
  SLOT_HEADROOM,
  SLOT_SIZE,
} from '#wire/record.ts';
import { GE_A, GE_B, Gms } from '../kit/dprp-world.ts';
import { H1, H2, udp } from '../kit/sim-frames.ts';
import { POLICY } from '../kit/sim-world.ts';
import { addVeth, enterNewNamespace, run } from '../unit/port/namespace.ts';

const PAYLOAD = Number(process.argv[2] ?? 64);
const ROUNDS = Number(process.argv[3] ?? 2_000);
/** Datagrams that wait when a gateway has its turn. */
const BURST = 64;
const SOCKET = { workers: 1, mark: 0, receiveBytes: 8 << 20, sendBytes: 8 << 20 };

function openPort(name: string): PacketPort {
  const fds = openPacketSockets(name, SOCKET);
  openPorts(fds);
  return new PacketPort(fds[0], name, 1500);
}

class Chain {
  readonly source = openPort('h1');
  readonly sink = openPort('h2');
  readonly a: Datapath;
  readonly b: Datapath;
  now = 1_000;
  readonly #slab = new Uint8Array(BURST * SLOT_SIZE);
  readonly #batch = new Int32Array(BURST * F_STRIDE);
  readonly #view = new DataView(this.#slab.buffer);
  #id = 0;

  constructor(transform: 'sealed' | 'pccom', datagrams: boolean) {
    const gms = new Gms();
    const groups = [{ number: 7, versions: [1], ...(transform === 'pccom' && { transform }) }];
    const [a, b] = [
      ['a-in', 'a-out', GE_A],
      ['b-in', 'b-out', GE_B],
    ].map(([inner, outer, ge]) => {
      const provider = createNativeProvider();
      const ports: PacketPort[] = [];
      ports[PORT_OUTER] = openPort(outer as string);
      ports[PORT_INNER] = openPort(inner as string);
      for (const port of ports) Object.defineProperty(port, 'datagrams', { value: datagrams });
      const random = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(length));
      const now = this.now as Millis;
      const start = { provider, ports, managementMac: undefined, policy: POLICY, random, tell: () => {}, now };
      const datapath = new Datapath(start);
      datapath.setIdentity(gms.identity(provider as never, { ge: ge as never, groups: groups as never }), now);
      return datapath;
    });
    this.a = a;
    this.b = b;
    const frame = udp({ from: H1, to: H2 }, 1, 2, new Uint8Array(PAYLOAD));
    for (let i = 0; i < BURST; i++) this.#slab.set(frame, i * SLOT_SIZE + SLOT_HEADROOM);
    this.send(1);
    for (let i = 0; i < 200; i++) this.settle();
  }

  settle(): void {
    this.now += 1;
    this.a.turn(this.now as Millis);
    this.b.turn(this.now as Millis);
  }

  send(count: number): void {
    for (let i = 0; i < count; i++) {
      const at = i * F_STRIDE;
      this.#batch.fill(0, at, at + F_STRIDE);
      this.#batch[at + F_OFFSET] = i * SLOT_SIZE + SLOT_HEADROOM;
      this.#batch[at + F_LENGTH] = 42 + PAYLOAD;
      this.#batch[at + F_VLAN_TCI] = -1;
      ipv4SetId(this.#view, i * SLOT_SIZE + SLOT_HEADROOM + 14, this.#id++ & 0xffff);
    }
    this.source.transmit(this.#slab, this.#batch, 0, count);
  }

  /** Datagrams that arrived, as frames of `42 + PAYLOAD` bytes or merged. */
  arrived(): number {
    let bytes = 0;
    for (let got = BURST; got === BURST; ) {
      got = this.sink.receive(this.#sinkSlab, this.#sinkBatch, 0, BURST);
      for (let i = 0; i < got; i++) bytes += this.#sinkBatch[i * F_STRIDE + F_LENGTH] - 42;
    }
    return bytes / PAYLOAD;
  }
  readonly #sinkSlab = new Uint8Array(BURST * SLOT_SIZE);
  readonly #sinkBatch = new Int32Array(BURST * F_STRIDE);

  /** Nanoseconds of both gateways. */
  round(): [number, number] {
    this.now += 1;
    this.send(BURST);
    const start = process.hrtime.bigint();
    this.a.turn(this.now as Millis);
    this.a.turn(this.now as Millis);
    const middle = process.hrtime.bigint();
    this.b.turn(this.now as Millis);
    this.b.turn(this.now as Millis);
    const end = process.hrtime.bigint();
    return [Number(middle - start), Number(end - middle)];
  }

  drops(): string {
    return [this.a, this.b]
      .flatMap((d) => [...d.counters.drops].map((n, i) => (n > 0 ? `${DROPS[i].name} ${n}` : '')))
      .filter((text) => text !== '')
      .join(', ');
  }
}

const median = (values: number[]): number => values.sort((x, y) => x - y)[values.length >> 1] ?? 0;

function measure(transform: 'sealed' | 'pccom', gro: boolean, datagrams: boolean): void {
  const leave = enterNewNamespace();
  const features = 'tso off tx off gro on';
  addVeth('h1', 'a-in', features);
  addVeth('a-out', 'b-out', features);
  addVeth('b-in', 'h2', features);
  for (const name of ['a-in', 'a-out', 'b-in', 'b-out'])
    run(`ethtool -K ${name} rx-udp-gro-forwarding ${gro ? 'on' : 'off'}`);
  const chain = new Chain(transform, datagrams);
  for (let i = 0; i < 3_000; i++) chain.round();
  chain.arrived();
  const before = [chain.a, chain.b].map((d) => d.counters.port(PORT_INNER));
  const times = Array.from({ length: ROUNDS }, () => {
    const round = chain.round();
    return [...round, chain.arrived()];
  });
  const after = [chain.a, chain.b].map((d) => d.counters.port(PORT_INNER));
  const [a, b, arrived] = [0, 1, 2].map((i) => median(times.map((t) => t[i])));
  const frames = (after[0].framesIn - before[0].framesIn) / ROUNDS;
  const framesOut = (after[1].framesOut - before[1].framesOut) / ROUNDS;
  console.log(
    `${transform} gro ${gro ? 'on ' : 'off'} merging ${datagrams ? 'on ' : 'off'}  a ${(a / BURST).toFixed(0)} ns  b ${(b / BURST).toFixed(0)} ns  ` +
      `frames in ${frames.toFixed(1)}, out ${framesOut.toFixed(1)}, datagrams ${arrived} of ${BURST}  ${chain.drops()}`,
  );
  leave();
}

for (let turn = 0; turn < 1; turn++) {
  for (const transform of ['sealed', 'pccom'] as const) {
    for (const gro of [true, false]) for (const datagrams of [false, true]) measure(transform, gro, datagrams);
  }
}
