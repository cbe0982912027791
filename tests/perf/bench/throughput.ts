/** Streams, small datagrams, a download over a slower link. */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { url } from '#kit/programs/curl.ts';
import { iperf } from '#kit/programs/iperf3.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { DATAGRAMS, datagramsPerSecond } from './datagrams.ts';
import type { BenchLab } from './lab.ts';
import type { Say } from './messages.ts';
import type { Measured } from './result.ts';
import { alternateWarm, type Field, type Gathered, only, put, without } from './rounds.ts';
import { median } from './statistics.ts';

const TCP_SECONDS = 2;
/** Above this, the kernel has merged segments before the gateway sees them. */
const LARGE_FRAME_BYTES = 10_000;

const rates = { unit: 'Gbit/s', better: 'more' } as const;

const stream = async ({ h1, far }: BenchLab): Promise<number> =>
  (await iperf(h1, far, { seconds: TCP_SECONDS })).bitsPerSecond / 1e9;

export async function tcp(field: Field): Promise<Measured[]> {
  const frames: Gathered = {};
  const samples = await alternateWarm(without(field, 'verdict'), async (net) => {
    const before = await innerPort(net);
    const rate = await stream(net);
    const after = await innerPort(net);
    if (after.frames > before.frames) {
      put(frames, net.mode, (after.bytes - before.bytes) / (after.frames - before.frames));
    }
    return rate;
  });
  const measured: Measured = { row: 'tcp', ...rates, samples, is: ['is-tcp', { seconds: TCP_SECONDS }] };
  const modes = Object.keys(frames) as (keyof Gathered)[];
  if (modes.length === 0) return [measured];
  for (const mode of modes) frames[mode]?.shift(); // of the round that is not counted
  const mean = Math.min(...modes.map((mode) => median(frames[mode] ?? [])));
  return [
    measured,
    {
      row: 'tcp-frame',
      unit: 'B',
      better: 'more',
      samples: frames,
      is: ['is-tcp-frame'],
      remark: [mean > LARGE_FRAME_BYTES ? 'frames-above' : 'frames-below', { bytes: Math.round(mean) }],
    },
  ];
}

/** What the sender's gateway has received from it; nothing where no gateway of ours stands. */
async function innerPort({ gateways: [a] }: BenchLab): Promise<{ readonly frames: number; readonly bytes: number }> {
  if (a === undefined) return { frames: 0, bytes: 0 };
  const port = (await a.status()).ports.find((p) => p.role === 'inner');
  if (port === undefined) throw new Error(`${a.name} has no inner port`);
  return { frames: port.framesIn, bytes: port.bytesIn };
}

/** A pair that passes in plaintext. */
export async function verdict(field: Field): Promise<Measured[]> {
  const samples = await alternateWarm(only(field, 'plain', 'verdict'), stream);
  return [{ row: 'verdict', ...rates, samples, is: ['is-verdict', { seconds: TCP_SECONDS }] }];
}

export async function udp64(field: Field, say: Say): Promise<Measured[]> {
  const samples = await alternateWarm(without(field, 'verdict'), datagramsPerSecond);
  const offers = DATAGRAMS.offers
    .map((rate) => (rate === 0 ? say('offer-unlimited') : say('offer-rate', { rate: rate.toLocaleString('en-US') })))
    .join(', ');
  const values = { offers, seconds: DATAGRAMS.seconds };
  return [{ row: 'udp64', unit: '1/s', better: 'more', samples, is: ['is-udp64', values] }];
}

/* ---- a download over a slower link ------------------------------------------------------------------------------- */

const DOWNLOAD_BYTES = 500_000_000;
const FILE = 'file';
/** A bucket that holds two superpackets, and a queue as deep as a switch's. */
const SHAPE = ['tbf', 'rate', '1gbit', 'burst', '128kb', 'latency', '10ms'];

export async function download(field: Field): Promise<Measured[]> {
  const modes = without(field, 'verdict');
  for (const net of modes.labs) await serve(net);
  const shape = (net: BenchLab, ...words: string[]): Promise<unknown> =>
    Promise.all(
      net.between.map(({ machine, link }) =>
        machine.run('tc', 'qdisc', words[0], 'dev', link, 'root', ...words.slice(1)),
      ),
    );
  for (const net of modes.labs) await shape(net, 'add', ...SHAPE);
  try {
    const samples = await alternateWarm(modes, fetchFile);
    return [
      { row: 'download', unit: 's', better: 'less', samples, is: ['is-download', { megabytes: DOWNLOAD_BYTES / 1e6 }] },
    ];
  } finally {
    for (const net of modes.labs) await shape(net, 'del');
  }
}

/** Starts nginx on h2, once, with a file that takes no room on the disk. */
async function serve({ lab, h2 }: BenchLab): Promise<void> {
  const file = join(lab.directory(`nginx-${h2.name}-80`), FILE);
  writeFileSync(file, '');
  truncateSync(file, DOWNLOAD_BYTES);
  await WebServer.start(lab, h2);
}

/** Seconds from the start of curl's transfer to its last byte. @throws Error when not everything arrived */
async function fetchFile({ h1, far }: BenchLab): Promise<number> {
  const words = ['curl', '-q', '--silent', '--show-error', '--fail', '--output', '/dev/null'];
  const told = await h1.run(...words, '--write-out', '%{time_total} %{size_download}', url(far, FILE));
  const [seconds, bytes] = told.split(' ').map(Number);
  if (bytes !== DOWNLOAD_BYTES) throw new Error(`the download brought ${bytes} bytes`);
  return seconds;
}
