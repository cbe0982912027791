/**
 * The demonstration, step by step, in the network of ../topologies/mixed.ts. Each step says what it saw; what must be so
 * is a check, and every check can fail.
 */
import type { FlowView } from '#api/views.ts';
import { sayIn } from '#cli/messages.ts';
import { showFlows } from '#cli/show.ts';
import type { Language } from '#config/text.ts';
import { Capture } from '#kit/capture.ts';
import type { GatewayBox } from '#kit/gateway-box.ts';
import type { Lab } from '#kit/lab.ts';
import { MARKERS } from '#kit/payload.ts';
import { type CapturedFrame, framesWith } from '#kit/pcap.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { failedVisits, type Services, startServices, type Visit, visit } from '#kit/services.ts';
import { median } from '../../perf/bench/statistics.ts';
import { MIXED, type MixedLab, mixed } from '../topologies/mixed.ts';
import { addColdAddresses, sendFirstPackets } from './first-packets.ts';
import { type Check, type DemoReport, flowReport } from './report.ts';
import { sameSegment, sideBySide } from './sight.ts';
import { strangers } from './strangers.ts';
import { tellIn, type Word } from './words.ts';

/** What curl fetches, bytes. */
const FILE_BYTES = 2_000_000;
/** Flows that are shown: the table of a page, the longest first. */
const SHOWN_FLOWS = 14;
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

  /* Everything between the gateways is seen from here on; at server 1 it is seen as devices send it. */
  const crossings = await Promise.all(CROSSINGS.map((link) => Capture.start(lab, net.core, link)));
  const device = await Capture.start(lab, net.server1, 'eth0', { direction: 'out' });

  const first = await sendFirstPackets(net, cold);
  say('first', { pairs: first.pairs.length, lost: first.lost.length });
  check('first-packets', first.lost.length === 0, first.lost.map((p) => `${p.program} ${p.address}`).join(', ') || '0');

  say('programs');
  const visits = await visitAll(net, services);
  for (const v of visits) line(`  ${v.program.padEnd(7)} ${v.address.padEnd(16)} ${v.seen}`);
  const failures = failedVisits(visits);
  check('programs', failures.length === 0, `${visits.length - failures.length}/${visits.length}`);

  const [sent, ...carried] = await Promise.all([device, ...crossings].map((c) => c.stop()));
  const onWire = readable(carried.flat());
  say('plaintext', onWire);
  check('plaintext-on-wire', onWire.readable === 0 && onWire.frames > 0, `${onWire.readable}/${onWire.frames}`);
  const sight = sameSegment(sent, carried[CROSSINGS.indexOf('b')]);
  check('frame-found', sight !== undefined, sight?.sequence ?? '–');
  if (sight !== undefined) {
    say('frame', { sequence: sight.sequence });
    const titles = [tell('frame-sent'), tell('frame-carried')];
    for (const text of sideBySide([titles[0], ...sight.sent], [titles[1], ...sight.carried])) line(`  ${text}`);
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
  const shown = { total: ofRouter.flows.length, flows: pickFlows(ofRouter.flows) };
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
  const looks = await Promise.all(CROSSINGS.map((link) => Capture.start(lab, net.core, link)));
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

function readable(frames: readonly CapturedFrame[]): { readonly frames: number; readonly readable: number } {
  return { frames: frames.length, readable: framesWith(frames, MARKERS).length };
}

/** The largest flows of each verdict, so that every kind is seen. */
function pickFlows(flows: readonly FlowView[]): FlowView[] {
  const size = (f: FlowView) => f.bytesIn + f.bytesOut;
  const sorted = [...flows].sort((x, y) => size(y) - size(x));
  const others = sorted.filter((f) => f.verdict !== 'encrypt').slice(0, SHOWN_FLOWS / 2);
  return [...sorted.filter((f) => f.verdict === 'encrypt').slice(0, SHOWN_FLOWS - others.length), ...others];
}
