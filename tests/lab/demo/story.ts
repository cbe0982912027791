/**
 * The demonstration, step by step, in the network of ../topologies/mixed.ts. Each step says what it saw; what must be
 * so is a check, and every check can fail.
 */
import type { FlowView } from '#api/views.ts';
import { sayIn } from '#cli/messages.ts';
import { showFlows } from '#cli/show.ts';
import type { Language } from '#config/text.ts';
import { Capture, WHOLE } from '#kit/capture.ts';
import type { GatewayBox } from '#kit/gateway-box.ts';
import type { Lab } from '#kit/lab.ts';
import { MARKERS } from '#kit/payload.ts';
import { type CapturedFrame, framesWith } from '#kit/pcap.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { failedVisits, type Services, startServices, type Visit, visit } from '#kit/services.ts';
import { median } from '../../perf/bench/statistics.ts';
import { MIXED, type MixedLab, mixed, TRANSFORMS } from '../topologies/mixed.ts';
import { addColdAddresses, sendFirstPackets } from './first-packets.ts';
import { type Check, type DemoReport, type FrameLengths, flowReport } from './report.ts';
import { sameSegment, sideBySide } from './sight.ts';
import { strangers } from './strangers.ts';
import { tellIn, type Word } from './words.ts';

/** What curl fetches, bytes. */
const FILE_BYTES = 2_000_000;
/** Flows that are shown: the table of a page. */
const SHOWN_FLOWS = 15;
/** What each transform adds to a frame, bytes: the sealed option; nothing. */
const ADDED = { sealed: 20, pccom: 0 } as const;
/** Links of the core router at which protected traffic crosses. */
const CROSSINGS = ['a', 'b', 'c'] as const;

export interface Scene {
  readonly net: MixedLab;
  readonly boxes: readonly GatewayBox[];
}

export interface Told extends Scene {
  readonly report: DemoReport;
}

export async function tellStory(lab: Lab, language: Language, line: (text: string) => void): Promise<Told> {
  const tell = tellIn(language);
  const say = (word: Word, values = {}) => line(tell(word, values));
  const checks: Check[] = [];
  const lengths: FrameLengths[] = [];
  const check = (name: string, good: boolean, detail: string | number) => {
    checks.push({ name, good, detail: String(detail) });
  };

  /* The network, its gateways, its services. */
  say('building');
  const net = await mixed(lab, { gateways: 'gscip' });
  const boxes = [net.a, net.b, net.c];
  for (const { name, plan } of boxes) {
    const words = { kind: tell(`kind-${plan.kind}`), mode: tell(`mode-${plan.mode}`) };
    say('enrolled', { name, ...words, groups: plan.groups.join(', ') });
  }
  const cold = await addColdAddresses(net);
  const services = {
    server1: await startServices(lab, net.server1, FILE_BYTES),
    server2: await startServices(lab, net.server2, FILE_BYTES),
  };
  await WebServer.start(lab, net.h3);

  /* Everything between the gateways is seen from here on; at the servers it is seen as they send it. */
  const crossings = await lookAtCrossings(lab, net);
  const servers = [
    { server: net.server1, gateway: net.b, transform: TRANSFORMS.plant },
    { server: net.server2, gateway: net.c, transform: TRANSFORMS.vault },
  ];
  const ways = await Promise.all(
    servers.map(async ({ server, gateway }) => ({
      before: await Capture.start(lab, server, 'eth0', { direction: 'out' }),
      after: await Capture.start(lab, gateway.machine, 'outer', { direction: 'out' }),
    })),
  );

  const first = await sendFirstPackets(net, cold);
  say('first', { pairs: first.pairs.length, lost: first.lost.length });
  check('first-packets', first.lost.length === 0, first.lost.map((p) => `${p.program} ${p.address}`).join(', ') || '0');

  say('programs');
  const visits = await visitAll(net, services);
  for (const v of visits) line(`  ${v.program.padEnd(7)} ${v.address.padEnd(16)} ${v.seen}`);
  const failures = failedVisits(visits);
  check('programs', failures.length === 0, `${visits.length - failures.length}/${visits.length}`);
  const used = await net.a.flows();

  const onWire = readable((await Promise.all(crossings.map((c) => c.stop()))).flat());
  say('plaintext', onWire);
  check('plaintext-on-wire', onWire.readable === 0 && onWire.frames > 0, `${onWire.readable}/${onWire.frames}`);
  for (const [i, { server, transform }] of servers.entries()) {
    const sight = sameSegment(await ways[i].before.stop(), await ways[i].after.stop());
    const added = sight === undefined ? Number.NaN : sight.carriedBytes - sight.sentBytes;
    check(`frame-${transform}`, added === ADDED[transform], `+${added}`);
    if (sight === undefined) continue;
    say('frame', { server: server.name, transform, sequence: sight.sequence });
    const titles = [
      tell('frame-sent', { bytes: sight.sentBytes }),
      tell('frame-carried', { bytes: sight.carriedBytes, added }),
    ];
    for (const text of sideBySide([titles[0], ...sight.sent], [titles[1], ...sight.carried])) line(`  ${text}`);
    lengths.push({ transform, sent: sight.sentBytes, carried: sight.carriedBytes });
  }

  /* Somebody without a gateway. */
  const outside = await strangers(net);
  say('outsiders', { ...outside, passed: outside.openPassed, refused: outside.closedRefused });
  check('open-passed', outside.openPassed === outside.openTried, `${outside.openPassed}/${outside.openTried}`);
  check(
    'closed-refused',
    outside.closedRefused === outside.closedTried,
    `${outside.closedRefused}/${outside.closedTried}`,
  );
  const refusals = (await net.c.drops())['refused-closed'] ?? 0;
  check('refusals-counted', refusals >= outside.closedTried / 2, refusals);

  /* What the gateways say about it. */
  const flows = await Promise.all(boxes.map(async (box) => ({ box, flows: await box.flows() })));
  const [ofRouter] = flows;
  say('flows', { name: ofRouter.box.name });
  /* Connections that ended are forgotten soon: those of the programs are shown as they were. */
  const all = [
    ...new Map(
      [...used, ...ofRouter.flows].map((f) => [`${f.protocol} ${f.device} ${f.devicePort} ${f.peer} ${f.peerPort}`, f]),
    ).values(),
  ];
  const shown = { total: all.length, flows: pickFlows(all) };
  for (const text of showFlows(shown, sayIn(language))) line(`  ${text}`);
  const reasons = (verdict: string) =>
    new Set(
      flows
        .flatMap((f) => f.flows)
        .filter((f) => f.verdict === verdict)
        .map((f) => f.reason),
    );
  check(
    'flow-verdicts',
    ['encrypt', 'plain', 'discard'].every((v) => reasons(v).size > 0),
    'encrypt, plain, discard',
  );
  check(
    'flow-reasons',
    reasons('encrypt').has('common-group') && reasons('discard').has('own-mode-closed'),
    [...reasons('encrypt'), ...reasons('discard')].join(', '),
  );

  const transforms = new Set(all.flatMap((f) => f.transform ?? []));
  check('flow-transforms', transforms.has('sealed') && transforms.has('pccom'), [...transforms].join(', '));

  const samples = (await net.a.pairs()).flatMap((p) => p.negotiationMs ?? []);
  const middle = median(samples);
  const round = (ms: number) => ms.toFixed(2);
  say('negotiation', {
    median: round(middle),
    samples: samples.length,
    minimum: round(Math.min(...samples)),
    maximum: round(Math.max(...samples)),
  });
  check('negotiations', samples.length >= first.pairs.length, samples.length);

  /* The control: the same look at the same traffic, with nobody protecting it. */
  for (const box of boxes) await box.release('control of the demonstration');
  const looks = await lookAtCrossings(lab, net);
  const unprotected = await visitAll(net, services);
  const control = readable((await Promise.all(looks.map((c) => c.stop()))).flat());
  say('control', control);
  check('control-programs', failedVisits(unprotected).length === 0, failedVisits(unprotected).length);
  check('control-plaintext', control.readable > 0, `${control.readable}/${control.frames}`);

  for (const c of checks) say(c.good ? 'check-good' : 'check-bad', { name: c.name, detail: c.detail });
  const report: DemoReport = {
    ok: checks.every((c) => c.good),
    checks,
    framesOnWire: onWire.frames,
    plaintextOnWire: onWire.readable,
    controlFramesOnWire: control.frames,
    controlPlaintextOnWire: control.readable,
    coldPairs: first.pairs.length,
    lostFirstPackets: first.lost.length,
    frames: lengths,
    flows: flows.flatMap(({ box, flows: of }) => of.map((f) => flowReport(box.name, f))),
    negotiationMs: { samples, median: middle },
    closedRefused: outside.closedRefused,
    openPassed: outside.openPassed,
  };
  return { net, boxes, report };
}

/** Device 1 uses server 1, device 2 uses server 2, over both IP versions. */
async function visitAll(
  net: MixedLab,
  services: { readonly server1: Services; readonly server2: Services },
): Promise<Visit[]> {
  const visits: Visit[] = [];
  for (const v of ['v4', 'v6'] as const) {
    visits.push(...(await visit(net.h1, services.server1, MIXED.server1[v])));
    visits.push(...(await visit(net.h2, services.server2, MIXED.server2[v])));
  }
  return visits;
}

function lookAtCrossings(lab: Lab, net: MixedLab): Promise<Capture[]> {
  return Promise.all(CROSSINGS.map((link) => Capture.start(lab, net.core, link, WHOLE)));
}

function readable(frames: readonly CapturedFrame[]): { readonly frames: number; readonly readable: number } {
  return { frames: frames.length, readable: framesWith(frames, MARKERS).length };
}

/** The largest flows of each transform and of the other verdicts, so that every kind is seen. */
function pickFlows(flows: readonly FlowView[]): FlowView[] {
  const size = (f: FlowView) => f.bytesIn + f.bytesOut;
  const sorted = [...flows].sort((x, y) => size(y) - size(x));
  const kinds = Map.groupBy(sorted, (f) => f.transform ?? 'none');
  return [...kinds.values()].flatMap((of) => of.slice(0, Math.ceil(SHOWN_FLOWS / kinds.size)));
}
