/**
 * A device whose frames lie about themselves: about segments, unfinished checksums, what they carry. Each is refused by
 * the kernel, or arrives in the size that the links have, or is dropped by name; and the next good frame passes.
 *
 *   h1, who lies ── [ge-a] ── wan ── [ge-b] ── h2        links as they come: superpackets travel as they are,
 *                                                        on the last one cut into what a cable would carry
 *
 * Between the second addresses of h1 and h2 nothing is sealed: exceptions of both gateways name them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import { Lab } from '#kit/lab.ts';
import { ping } from '#kit/programs/ping.ts';
import { RawSender, type VnetHeader } from '#kit/programs/raw-sender.ts';
import { fragments } from '#kit/sim-fragments.ts';
import { type Ends, echo, tcp, udp } from '#kit/sim-frames.ts';
import { GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, VNET_DATA_VALID, VNET_NEEDS_CSUM } from '#wire/record.ts';
import { type BridgeLab, bridge, H1, H2 } from './topologies/bridge.ts';

const PLAIN = { h1: '10.70.0.21', h2: '10.70.0.22' };
const IP = 14;
const L4 = IP + 20;
/** UDP fragmentation offload: older kernels' datagrams of any size, which nobody makes any more. */
const GSO_UDP = 3;
const GRE = 47;
const IPIP = 4;
const VXLAN_PORT = 4_789;
const TCP = 6;
const TCP_HEADER = 20;
const UDP_HEADER = 8;
const FRAGMENT_OFFSET = 0x1fff;
/** Bytes of a frame. */
const LARGEST = IP + 1_500;
const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;

const partialTcp = { flags: VNET_NEEDS_CSUM, csumStart: L4, csumOffset: TCP_CHECKSUM };
const partialUdp = { flags: VNET_NEEDS_CSUM, csumStart: L4, csumOffset: UDP_CHECKSUM };
const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(0x61);

const stream = (ends: Ends, length: number): Uint8Array =>
  tcp(ends, { sourcePort: 9, destinationPort: 9, sequence: 1, flags: 0x10, data: bytes(length) });

/** `inner`'s IP packet as the payload of another protocol, or of whatever `between` is the header of. */
function tunnel(ends: Ends, protocol: number, between: Uint8Array, inner: Uint8Array): Uint8Array {
  const outer = stream(ends, between.length + inner.length - IP - TCP_HEADER);
  outer.set(between, L4);
  outer.set(inner.subarray(IP), L4 + between.length);
  outer[IP + 9] = protocol;
  /* The header checksum is nobody's business on the way: the far host would look at it. */
  return outer;
}

interface Lie {
  readonly what: string;
  readonly frame: (ends: Ends) => Uint8Array;
  readonly says?: VnetHeader;
  /**
   * What becomes of it: the kernel's error where it goes no further than the sender, a drop of ge-a's, or `arrives`.
   */
  readonly sealed: string;
  readonly plain: string;
}

const both = (outcome: string) => ({ sealed: outcome, plain: outcome });
const SUPER = { gsoType: GSO_TCPV4, gsoSize: 1_000 };

const LIES: readonly Lie[] = [
  /* segments */
  {
    what: 'segments of TCP that are larger than the port carries',
    frame: (e) => stream(e, 9_000),
    says: { ...partialTcp, gsoType: GSO_TCPV4, gsoSize: 3_000 },
    sealed: 'arrives',
    plain: 'too-big',
  },
  {
    what: 'datagrams of a superpacket that are larger than the port carries',
    frame: (e) => udp(e, 9, 9, bytes(9_000)),
    says: { ...partialUdp, gsoType: GSO_UDP_L4, gsoSize: 3_000 },
    ...both('too-big'),
  },
  {
    what: 'one segment that is larger than its whole content',
    frame: (e) => stream(e, 800),
    says: { ...partialTcp, gsoType: GSO_TCPV4, gsoSize: 60_000 },
    ...both('arrives'),
  },
  {
    what: 'segments of no bytes',
    frame: (e) => stream(e, 3_000),
    says: { ...partialTcp, gsoType: GSO_TCPV4, gsoSize: 0 },
    ...both('EINVAL'),
  },
  {
    what: 'more than 128 datagrams',
    frame: (e) => udp(e, 9, 9, bytes(1_290)),
    says: { ...partialUdp, gsoType: GSO_UDP_L4, gsoSize: 10 },
    ...both('EINVAL'),
  },
  {
    what: 'segments of IPv6 in a packet of IPv4',
    frame: (e) => stream(e, 3_000),
    says: { ...partialTcp, ...SUPER, gsoType: GSO_TCPV6 },
    ...both('EINVAL'),
  },
  {
    what: 'segments of TCP in a datagram',
    frame: (e) => udp(e, 9, 9, bytes(3_000)),
    says: { ...partialTcp, ...SUPER },
    ...both('ENOMEM'),
  },
  {
    what: 'segments of a fragment',
    frame: (e) => fragments(udp(e, 9, 9, bytes(5_000)), 3_000, 7)[0],
    says: { ...partialTcp, ...SUPER },
    ...both('ENOMEM'),
  },
  /* tunnels that are reported as the TCP inside: a sender's are never cut, whatever merged them on the way
   * (tunnels.test.ts) */
  {
    what: 'TCP in IP in IP',
    frame: (e) => tunnel(e, IPIP, bytes(0), stream(e, 3_000)),
    says: { ...partialTcp, ...SUPER, csumStart: L4 + 20 },
    ...both('ENOMEM'),
  },
  {
    what: 'TCP in GRE',
    frame: (e) => tunnel(e, GRE, Uint8Array.of(0, 0, 8, 0), stream(e, 3_000)),
    says: { ...partialTcp, ...SUPER, csumStart: L4 + 4 + 20 },
    ...both('ENOMEM'),
  },
  {
    what: 'TCP in a datagram, as VXLAN has it',
    frame: (e) => udp(e, VXLAN_PORT, VXLAN_PORT, Buffer.concat([bytes(8), stream(e, 3_000)])),
    says: { ...partialTcp, ...SUPER, csumStart: L4 + 8 + 8 + L4 },
    ...both('ENOMEM'),
  },
  /* unfinished checksums */
  {
    what: 'a checksum that begins behind the frame',
    frame: (e) => stream(e, 100),
    says: { ...partialTcp, csumStart: 2_000 },
    ...both('EINVAL'),
  },
  {
    what: 'a checksum whose field is behind the frame',
    frame: (e) => stream(e, 100),
    says: { ...partialTcp, csumOffset: 2_000 },
    ...both('EINVAL'),
  },
  {
    what: 'a checksum of the IP header',
    frame: (e) => stream(e, 100),
    says: { ...partialTcp, csumStart: IP, csumOffset: 10 },
    ...both('EINVAL'),
  },
  {
    what: 'a checksum in the middle of the TCP header',
    frame: (e) => stream(e, 100),
    says: { ...partialTcp, csumStart: L4 + 4, csumOffset: 2 },
    ...both('checksum-misplaced'),
  },
  {
    what: 'a checksum in the data of an Echo',
    frame: (e) => echo(e, 'request', 7, 7, bytes(100)),
    says: { ...partialTcp, csumStart: L4 + 8 },
    ...both('checksum-misplaced'),
  },
  {
    what: 'a checksum of a fragment',
    frame: (e) => fragments(udp(e, 9, 9, bytes(3_000)), 1_500, 7)[0],
    says: partialUdp,
    ...both('checksum-misplaced'),
  },
  {
    what: 'a checksum of what is not IP',
    frame: (e) => {
      const frame = stream(e, 100);
      frame.set([0x88, 0xb5], 12);
      return frame;
    },
    says: partialTcp,
    ...both('checksum-misplaced'),
  },
  {
    what: 'a verified checksum that is wrong',
    frame: (e) => {
      const frame = udp(e, 9, 9, bytes(100));
      frame[L4 + UDP_CHECKSUM] ^= 0x55;
      return frame;
    },
    says: { flags: VNET_DATA_VALID },
    /* The sender's word counts for nothing with the kernel: nobody has verified it. Plain frames are passed as they
     * are. */
    sealed: 'bad-checksum',
    plain: 'arrives',
  },
  /* what is not there */
  {
    what: 'a TCP header that is cut off',
    frame: (e) => {
      const frame = stream(e, 0).subarray(0, L4 + 12);
      frame[IP + 3] = 32;
      return frame;
    },
    ...both('tcp-bad-header'),
  },
  {
    what: 'segments behind a header that is cut off',
    frame: (e) => stream(e, 0).subarray(0, L4 + 12),
    says: { ...partialTcp, ...SUPER },
    ...both('EINVAL'),
  },
  {
    what: 'an IP length that is longer than the frame',
    frame: (e) => stream(e, 100).subarray(0, L4 + 60),
    ...both('ip-bad-length'),
  },
  {
    what: 'datagrams of a kind that nobody makes any more',
    frame: (e) => udp(e, 9, 9, bytes(3_000)),
    says: { ...partialUdp, gsoType: GSO_UDP, gsoSize: 1_400 },
    /* The kernel makes fragments of it. */
    ...both('arrives'),
  },
];

/** All that TCP segments and datagrams bear, whole or in fragments. */
function payloadBytes(frames: readonly Uint8Array[]): number {
  let total = 0;
  for (const frame of frames) {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const header = frame[IP + 9] === TCP ? (frame[L4 + 12] >>> 4) * 4 : UDP_HEADER;
    const laterFragment = (view.getUint16(IP + 6) & FRAGMENT_OFFSET) !== 0;
    total += view.getUint16(IP + 2) - (L4 - IP) - (laterFragment ? 0 : header);
  }
  return total;
}

/** Counters that have grown, and by how much. */
function grown(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): [string, number][] {
  const steps = Object.keys(after).map((name): [string, number] => [name, after[name] - (before[name] ?? 0)]);
  return steps.filter(([, step]) => step !== 0);
}

let lab: Lab;
let net: BridgeLab;
let sender: RawSender;
let ends: Record<'sealed' | 'plain', Ends>;

beforeAll(async () => {
  lab = await Lab.make('offload');
  const exception = (address: string) => ({ exceptions: [{ address, direction: 'both' }] });
  net = await bridge(lab, { gateways: 'gscip', a: exception(PLAIN.h2), b: exception(PLAIN.h1) });
  await net.h1.address('eth0', `${PLAIN.h1}/32`);
  await net.h2.address('eth0', `${PLAIN.h2}/32`);
  const macOf = async (machine: typeof net.h1): Promise<string> =>
    JSON.parse(await machine.ip('-j', 'link', 'show', 'dev', 'eth0'))[0].address.replaceAll(':', '');
  const [mac1, mac2] = [await macOf(net.h1), await macOf(net.h2)];
  const pair = (v4: readonly [string, string]): Ends => ({
    from: { mac: mac1, v4: v4[0], v6: H1.v6 },
    to: { mac: mac2, v4: v4[1], v6: H2.v6 },
  });
  ends = { sealed: pair([H1.v4, H2.v4]), plain: pair([PLAIN.h1, PLAIN.h2]) };
  expect((await ping(net.h1, H2.v4, { wait: 1 })).answered).toBe(1);
  await net.b.machine.run('ethtool', '-K', 'inner', 'tso', 'off', 'gso', 'off');
  await net.h2.run('ethtool', '-K', 'eth0', 'gro', 'off');
  sender = await RawSender.start(lab, net.h1, 'eth0');
});
afterAll(() => lab.remove());

describe.each(['sealed', 'plain'] as const)('%s', (path) => {
  test.each(LIES)('$what', async (lie) => {
    const before = [await net.a.drops(), await net.b.drops()];
    const filter = ['src', 'host', ends[path].from.v4, 'and', '(tcp', 'or', 'udp)'];
    const look = await Capture.start(lab, net.h2, 'eth0', { direction: 'in', filter });
    const frame = lie.frame(ends[path]);
    const answer = await sender.send(frame, lie.says);
    /* The next good frame passes; by then the one before has met its fate. */
    expect((await ping(net.h1, H2.v4, { wait: 1 })).answered).toBe(1);
    const arrived = (await look.stop()).map(({ bytes }) => bytes);
    const drops = [
      ...grown(before[0], await net.a.drops()),
      ...grown(before[1], await net.b.drops()).map(([name, step]): [string, number] => [`${name} by ge-b`, step]),
    ];
    const named = [answer === 'sent' ? [] : answer, drops.map(([name]) => name)].flat();
    const whole = arrived.length > 0 && payloadBytes(arrived) === payloadBytes([frame]);
    expect(named.join(', ') || (whole ? 'arrives' : 'is lost')).toBe(lie[path]);
    expect(drops.every(([, step]) => step === 1)).toBe(true);
    if (lie[path] !== 'arrives') expect(arrived).toEqual([]);
    expect(arrived.filter(({ length }) => length > LARGEST)).toEqual([]);
  });
});
