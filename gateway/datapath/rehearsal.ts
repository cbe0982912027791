/**
 * Before a worker takes traffic it plays what it will do, so that the first pairs do not wait for the compiler: two
 * datapaths on fake ports negotiate and protect packets between made-up addresses, with keys that nobody else has and
 * that are gone afterwards (docs/decisions/0019-start-and-rehearsal.md).
 *
 *   device ──inner [a] outer── ──outer [b] inner── peer        SYN, SYN+ACK, ACK, data; a datagram and its answer
 */
import { generateKeyPairSync, type KeyObject, randomBytes, randomFillSync, sign } from 'node:crypto';
import type { GeId, Identity, KeyHandle, Millis } from '#dprp/spec.ts';
import { createFakeLink, type FakePort, fakeFrame } from '#port/fake.ts';
import type { CipherProvider, KeyIndex } from '#transform/cipher.ts';
import { addressFromText } from '#wire/address.ts';
import { ETHER_HEADER } from '#wire/ethernet.ts';
import { PROTO_TCP, PROTO_UDP } from '#wire/frame.ts';
import { IPV4_HEADER, ipv4WriteHeader } from '#wire/ipv4.ts';
import { PORT_INNER, PORT_OUTER, VNET_DATA_VALID } from '#wire/record.ts';
import { encodeStatementBody, joinStatement, statementToSign } from '#wire/statement.ts';
import {
  TCP_ACK,
  TCP_ACKNOWLEDGEMENT,
  TCP_DATA_OFFSET,
  TCP_FLAGS,
  TCP_HEADER,
  TCP_PSH,
  TCP_SEQUENCE,
  TCP_SYN,
} from '#wire/tcp.ts';
import { UDP_HEADER, UDP_LENGTH } from '#wire/udp.ts';
import { Datapath } from './datapath.ts';
import type { PolicySettings } from './messages.ts';

/** Pairs that are negotiated: V8 has compiled the way of a negotiation by then (measured, 0019). */
export const REHEARSED_PAIRS = 48;
const PAYLOAD = 100;
/**
 * Times and sequence numbers as they come in life: with small whole numbers V8 would compile for those, and then anew.
 */
const START = 1_000.123456;
const TICK = 0.654321;
const FIRST_SEQUENCE = 0x6c07_8965;
const GROUP = 1;
const VERSION = 1;
const POLICY: PolicySettings = { withoutKeys: 'closed', nonIp: 'by-mode', exceptions: [], protectedPrefixes: [] };
/** SYN: MSS, SACK-permitted, timestamps, window scale; later: timestamps. */
const SYN_OPTIONS = Buffer.from('020405b40402080a00000001000000000103030a', 'hex');
const OPTIONS = Buffer.from('0101080a0000000100000001', 'hex');
/** RFC 5737: addresses that nobody has. */
const DEVICE = '192.0.2.0';
const PEER = '198.51.100.0';
const ETHERNET = Uint8Array.from([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);

interface Stage {
  readonly datapath: Datapath;
  /** The far end of the inner link. */
  readonly host: FakePort;
}

/** Plays `pairs` negotiations and their packets; returns how many packets arrived where they were sent to. */
export function rehearse(createProvider: () => CipherProvider, pairs = REHEARSED_PAIRS): number {
  const providers = [createProvider(), createProvider()];
  const [a, b] = stages(providers);
  let time: number = START;
  let arrived = 0;
  const settle = (): void => {
    for (let busy = true; busy; ) {
      time += TICK;
      a.datapath.turn(time as Millis);
      b.datapath.turn(time as Millis);
      busy = [a, b].some(({ datapath }) => datapath.ports.some((port) => (port as FakePort | undefined)?.waiting));
    }
  };
  const say = (from: Stage, to: Stage, bytes: Uint8Array): void => {
    from.host.send(fakeFrame(bytes, { flags: VNET_DATA_VALID }));
    settle();
    arrived += to.host.collect().length;
  };
  for (let i = 1; i <= pairs; i++) {
    const there: Way = { from: address(DEVICE, i), to: address(PEER, i), ports: [40_000, 80] };
    const back: Way = { from: there.to, to: there.from, ports: [80, 40_000] };
    const first = i * FIRST_SEQUENCE;
    say(a, b, segment(there, first, 0, TCP_SYN, SYN_OPTIONS, 0));
    say(b, a, segment(back, first, first + 1, TCP_SYN | TCP_ACK, SYN_OPTIONS, 0));
    say(a, b, segment(there, first + 1, first + 1, TCP_ACK, OPTIONS, 0));
    const at = first + 1;
    say(a, b, segment(there, at, at, TCP_ACK | TCP_PSH, OPTIONS, PAYLOAD));
    say(b, a, segment(back, at, at + PAYLOAD, TCP_ACK | TCP_PSH, OPTIONS, PAYLOAD));
    say(a, b, datagram(there, PAYLOAD));
    say(b, a, datagram(back, PAYLOAD));
    time += 10; /* ready key pairs are made between negotiations */
  }
  for (const { datapath } of [a, b]) datapath.close();
  for (const provider of providers) provider.close();
  return arrived;
}

/** The i-th address of a prefix. */
function address(prefix: string, i: number): Uint8Array {
  const bytes = addressFromText(prefix) as Uint8Array;
  bytes[15] = i;
  return bytes;
}

/** Packets of one rehearsed pair. */
export const PACKETS_OF_PAIR = 7;

/* ---- two gateways and their keys ---- */

interface Authority {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

function stages(providers: readonly CipherProvider[]): [Stage, Stage] {
  const outer = createFakeLink();
  const gms: Authority = generateKeyPairSync('ed25519');
  const secrets = { domain: randomBytes(32), group: randomBytes(32) };
  const made = providers.map((provider, i): Stage => {
    const inner = createFakeLink();
    const ports: FakePort[] = [];
    ports[PORT_OUTER] = i === 0 ? outer.left : outer.right;
    ports[PORT_INNER] = inner.right;
    const datapath = new Datapath({
      provider,
      ports,
      managementMac: undefined,
      policy: POLICY,
      random: (length) => randomFillSync(new Uint8Array(length)),
      tell: () => undefined,
      now: START as Millis,
    });
    datapath.setIdentity(identity(provider, gms, secrets, `000000000000000${i + 1}` as GeId), START as Millis);
    return { datapath, host: inner.left };
  });
  return [made[0], made[1]];
}

interface Secrets {
  readonly domain: Uint8Array;
  readonly group: Uint8Array;
}

/** An identity as a bundle gives it, its statement signed by a key that is forgotten with the rehearsal. */
function identity(provider: CipherProvider, gms: Authority, secrets: Secrets, ge: GeId): Identity {
  const held = (bytes: Uint8Array): KeyHandle => provider.importKey(Uint8Array.from(bytes)) as KeyIndex & KeyHandle;
  const staticSecret = held(randomBytes(32));
  const body = encodeStatementBody({
    mode: 'open',
    kind: 'bridge',
    geId: Uint8Array.from(Buffer.from(ge, 'hex')),
    staticKey: provider.publicKey(staticSecret as KeyHandle & KeyIndex),
    notAfter: 1,
    groups: [GROUP],
  });
  return {
    ge,
    mode: 'open',
    kind: 'bridge',
    statement: joinStatement(body, sign(null, statementToSign(body), gms.privateKey)),
    staticSecret,
    signingKey: Uint8Array.from(gms.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)),
    gmsTime: () => 0,
    domainKeys: [{ version: VERSION, key: held(secrets.domain) }],
    groupKeys: [{ group: GROUP, version: VERSION, transform: 'sealed', key: held(secrets.group) }],
    transforms: ['sealed'],
    revoked: [],
  };
}

/* ---- packets ---- */

interface Way {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly ports: readonly [from: number, to: number];
}

function segment(
  way: Way,
  sequence: number,
  acknowledgement: number,
  flags: number,
  options: Uint8Array,
  payload: number,
): Uint8Array {
  const header = TCP_HEADER + options.length;
  const { bytes, view, l4 } = packet(way, PROTO_TCP, header + payload);
  view.setUint32(l4 + TCP_SEQUENCE, sequence);
  view.setUint32(l4 + TCP_ACKNOWLEDGEMENT, acknowledgement);
  bytes[l4 + TCP_DATA_OFFSET] = (header / 4) << 4;
  bytes[l4 + TCP_FLAGS] = flags;
  bytes.set(options, l4 + TCP_HEADER);
  return bytes;
}

function datagram(way: Way, payload: number): Uint8Array {
  const { bytes, view, l4 } = packet(way, PROTO_UDP, UDP_HEADER + payload);
  view.setUint16(l4 + UDP_LENGTH, UDP_HEADER + payload);
  return bytes;
}

/** Ethernet, IP and ports; the checksum of layer 4 counts as verified. */
function packet(
  { from, to, ports }: Way,
  protocol: number,
  length: number,
): { bytes: Uint8Array; view: DataView; l4: number } {
  const bytes = new Uint8Array(ETHER_HEADER + IPV4_HEADER + length);
  const view = new DataView(bytes.buffer);
  bytes.set(ETHERNET);
  const l4 = ETHER_HEADER + ipv4WriteHeader(bytes, view, ETHER_HEADER, from, to, protocol, IPV4_HEADER + length, 64);
  ports.forEach((port, i) => {
    view.setUint16(l4 + 2 * i, port);
  });
  return { bytes, view, l4 };
}
