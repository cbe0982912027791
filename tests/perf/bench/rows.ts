/** What is measured, and how: each row takes one sample of one place. */
import { residentBytes } from '#kit/machine.ts';
import { download, url } from '#kit/programs/curl.ts';
import { iperf } from '#kit/programs/iperf3.ts';
import { ping } from '#kit/programs/ping.ts';
import { median } from '../../lab/demo/report.ts';
import { H2 } from '../../lab/topologies/bridge.ts';
import type { Place } from './places.ts';

export interface Row {
  readonly unit: string;
  /** How it is measured, for the reader of the table. */
  readonly how: string;
  /** More is better; otherwise less is. */
  readonly more: boolean;
  /** Plain forwarding has no such figure. */
  readonly gatewayOnly?: boolean;
  /** Before the first sample, not counted. */
  warmUp?(place: Place): Promise<void>;
  sample(place: Place): Promise<number>;
}

const TCP_SECONDS = 3;

const tcp: Row = {
  unit: 'Gbit/s',
  how: `iperf3, one TCP stream, ${TCP_SECONDS} s, what arrived`,
  more: true,
  warmUp: async ({ net }) => void (await iperf(net.h1, H2.v4, { seconds: 2 })),
  sample: async ({ net }) => (await iperf(net.h1, H2.v4, { seconds: TCP_SECONDS })).bitsPerSecond / 1e9,
};

const DATAGRAM_BYTES = 64;
/** RFC 2544 knows no loss at all; iperf3's pacing is coarse, and the hosts share the processors with the gateways. */
const LOSS_ALLOWED = 0.01;
const SLOWEST = 2_000;
const FASTEST = 1_000_000;
/** Halvings of the range between them, by ratio: two per cent at the end. */
const HALVINGS = 8;

const udp64: Row = {
  unit: 'datagrams/s',
  how: `iperf3, ${DATAGRAM_BYTES}-byte UDP payloads, the highest rate at which at most ${LOSS_ALLOWED * 100} % are lost (by halving, 1 s each, a loss tried twice)`,
  more: true,
  warmUp: async ({ net }) => void (await iperf(net.h1, H2.v4, { seconds: 2, datagramBytes: DATAGRAM_BYTES })),
  async sample({ net }) {
    let [low, high, best] = [SLOWEST, FASTEST, 0];
    for (let i = 0; i < HALVINGS; i++) {
      const offered = Math.round(Math.sqrt(low * high));
      const bitrate = String(offered * DATAGRAM_BYTES * 8);
      const attempt = () => iperf(net.h1, H2.v4, { seconds: 1, datagramBytes: DATAGRAM_BYTES, bitrate });
      let seen = await attempt();
      /* Once may be somebody else's doing on this machine; twice is the path's. */
      if (seen.lostRatio > LOSS_ALLOWED) seen = await attempt();
      const held = seen.lostRatio <= LOSS_ALLOWED;
      if (held) best = Math.max(best, seen.datagramsPerSecond);
      if (held) low = offered;
      else high = offered;
    }
    return best;
  },
};

const PINGS = 200;

const roundTrip: Row = {
  unit: 'ms',
  how: `ping, median round trip of ${PINGS}, one every 10 ms, a known pair`,
  more: false,
  warmUp: async ({ net }) => void (await ping(net.h1, H2.v4, { count: PINGS, interval: 0.002 })),
  sample: async ({ net }) => median((await ping(net.h1, H2.v4, { count: PINGS, interval: 0.01 })).milliseconds),
};

/** New pairs in each sample, and before the first one. */
const NEW_PAIRS = 12;
const WARM_PAIRS = 24;

async function connectMilliseconds({ net, fresh }: Place): Promise<number> {
  const address = fresh.shift();
  if (address === undefined) throw new Error('no address is left that nobody has talked to');
  return (await download(net.h1, url(address, ''))).connectSeconds * 1000;
}

const negotiation: Row = {
  unit: 'ms',
  how: `curl, TCP connect to an address nobody has talked to, median of ${NEW_PAIRS}, after ${WARM_PAIRS} others; MAC addresses known`,
  more: false,
  async warmUp(place) {
    for (let i = 0; i < WARM_PAIRS; i++) await connectMilliseconds(place);
  },
  async sample(place) {
    const times: number[] = [];
    for (let i = 0; i < NEW_PAIRS; i++) times.push(await connectMilliseconds(place));
    return median(times);
  },
};

const memory: Row = {
  unit: 'MB',
  how: 'resident memory of the gateway process, started anew for each sample, with keys and without traffic',
  more: false,
  gatewayOnly: true,
  async sample({ net }) {
    await net.a.stop();
    await net.a.start();
    await net.a.reaches('running');
    return residentBytes(net.a.pid) / 1e6;
  },
};

/** In the order in which they run: memory is measured before anything is known. */
export const ROWS = { memory, tcp, udp64, ping: roundTrip, negotiation } satisfies Readonly<Record<string, Row>>;
export type RowName = keyof typeof ROWS;
