/**
 * What this gateway is allowed to do apart from keys: exceptions, protected prefixes, mode (§ 3.8, 3.9).
 * Compiled once when it changes; matching allocates nothing.
 */
import type { GeId, Identity, Mode } from '#dprp/spec.ts';
import { PrefixTable } from '#wire/address.ts';
import { dropCode } from '#wire/drops.ts';
import { type Frame, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP } from '#wire/frame.ts';
import { TCP_ACK, TCP_SYN } from '#wire/tcp.ts';
import { CLASS_ALWAYS, CLASS_BROADCAST, CLASS_LOCAL, CLASS_NON_IP, classify } from './classify.ts';
import type { ExceptionRule, PolicySettings } from './messages.ts';

/** What `withoutPair` says beside drop codes, which are negative. */
export const PASS = 0;
export const ASK_PAIR = 1;
/** Passes, unless the far or near address is known as a single host's: then the pair is asked. */
export const PASS_BROADCAST = 2;
/** There are no keys: passes, unless the far address is one that is never spoken to in plaintext. */
export const PASS_STRANGER = 3;

const NON_IP = dropCode('refused-non-ip');
const MULTICAST = dropCode('refused-multicast');
const NO_KEYS = dropCode('no-keys');

const ANY = -1;
/** An exception for ICMP names both versions'. */
const PROTO_ICMP_BOTH = -2;

/** One direction of one exception, on this gateway's terms: far is beyond the outer port, near behind the inner one. */
interface Matcher {
  /** Index of the ExceptionRule, for its hit counter. */
  readonly rule: number;
  readonly prefix: PrefixTable;
  readonly prefixIsFar: boolean;
  readonly protocol: number;
  readonly port: number;
  readonly portIsFar: boolean;
  /** Who opens connections: nobody else's first segment passes. */
  readonly farOpens: boolean;
}

const PROTOCOLS = { tcp: PROTO_TCP, udp: PROTO_UDP, icmp: PROTO_ICMP_BOTH } as const;

/** What an exception looks at: a parsed frame, or the packet that an ICMP error quotes. */
type Addressed = Pick<Frame, 'source' | 'destination' | 'sourcePort' | 'destinationPort' | 'protocol'> & {
  readonly tcpFlags?: number;
};

export class Policy {
  /** undefined: no keys. */
  mode: Mode | undefined;
  /** Gateways that the GMS removed altogether: others may stand in their places (docs/dprp.md § 5.1). */
  removed: ReadonlySet<GeId> = new Set();
  settings: PolicySettings;
  /** By exception, in their order. */
  hits: Float64Array;
  #matchers: readonly Matcher[] = [];
  #protected = new PrefixTable([]);

  constructor(settings: PolicySettings) {
    this.settings = settings;
    this.hits = new Float64Array(0);
    this.set(settings);
  }

  setIdentity(identity: Identity | undefined): void {
    this.mode = identity?.mode;
    this.removed = new Set(identity?.revoked.filter(({ removed }) => removed).map(({ ge }) => ge));
  }

  /** Hit counters of exceptions that stay are kept. @throws RangeError naming a text that is no prefix */
  set(settings: PolicySettings): void {
    const former = new Map(this.settings.exceptions.map((rule, i) => [JSON.stringify(rule), this.hits[i] ?? 0]));
    this.settings = settings;
    this.hits = Float64Array.from(settings.exceptions, (rule) => former.get(JSON.stringify(rule)) ?? 0);
    this.#matchers = settings.exceptions.flatMap((rule, index) => compile(rule, index));
    this.#protected = PrefixTable.fromTexts(settings.protectedPrefixes);
  }

  /**
   * Decides about what no pair is asked for: ARP and the like, non-IP, exceptions, multicast, and everything while
   * there are no keys. `outward`: the frame comes from behind us.
   * @returns PASS, PASS_BROADCAST, PASS_STRANGER, ASK_PAIR, or a drop code
   */
  withoutPair(slab: Uint8Array, view: DataView, frame: Frame, outward: boolean): number {
    const kind = classify(slab, view, frame);
    if (kind === CLASS_ALWAYS) return PASS;
    if (kind === CLASS_NON_IP) return this.passesNonIp() ? PASS : NON_IP;
    const rule = this.exception(frame, outward);
    if (rule >= 0) {
      this.hits[rule] += 1;
      return PASS;
    }
    if (kind === CLASS_LOCAL) return this.passesLocal() ? PASS : MULTICAST;
    if (kind === CLASS_BROADCAST) return this.passesLocal() ? PASS_BROADCAST : MULTICAST;
    if (this.mode !== undefined) return ASK_PAIR;
    return this.openWithoutKeys ? PASS_STRANGER : NO_KEYS;
  }

  isProtected(address: Int32Array): boolean {
    return this.#protected.matches(address);
  }

  /** Index of the exception that names this packet, -1 for none; `outward`: it comes from behind us. */
  exception(frame: Addressed, outward: boolean): number {
    const far = outward ? frame.destination : frame.source;
    const near = outward ? frame.source : frame.destination;
    const farPort = outward ? frame.destinationPort : frame.sourcePort;
    const nearPort = outward ? frame.sourcePort : frame.destinationPort;
    const hasPorts = frame.protocol === PROTO_TCP || frame.protocol === PROTO_UDP;
    const opens = ((frame.tcpFlags ?? 0) & (TCP_SYN | TCP_ACK)) === TCP_SYN;
    for (let i = 0; i < this.#matchers.length; i++) {
      const m = this.#matchers[i];
      if (!m.prefix.matches(m.prefixIsFar ? far : near)) continue;
      if (!this.#protocolFits(m.protocol, frame)) continue;
      if (opens && m.farOpens === outward) continue;
      /* A fragment bears no ports (they read 0): it passes only where the exception names none. */
      if (m.port !== ANY && !(hasPorts && m.port === (m.portIsFar ? farPort : nearPort))) continue;
      return m.rule;
    }
    return -1;
  }

  #protocolFits(protocol: number, frame: Addressed): boolean {
    if (protocol === ANY) return true;
    if (protocol === PROTO_ICMP_BOTH) return frame.protocol === PROTO_ICMP || frame.protocol === PROTO_ICMPV6;
    return protocol === frame.protocol;
  }

  /** The first exception that names this far address, whatever its protocol and port: for `explain`. */
  exceptionFor(address: Int32Array): ExceptionRule | undefined {
    const found = this.#matchers.find((m) => m.prefixIsFar && m.prefix.matches(address));
    return found && this.settings.exceptions[found.rule];
  }

  /** True when non-IP frames pass; ARP and EAPOL are not asked about. */
  passesNonIp(): boolean {
    const { nonIp } = this.settings;
    return nonIp === 'by-mode' ? this.#passesByMode() : nonIp === 'pass';
  }

  /** True when multicast, broadcast and link-local traffic passes without an exception. */
  passesLocal(): boolean {
    return this.#passesByMode();
  }

  /** True when traffic passes although there are no keys, but for peers that are never spoken to in plaintext. */
  get openWithoutKeys(): boolean {
    return this.mode === undefined && this.settings.withoutKeys === 'open';
  }

  #passesByMode(): boolean {
    return this.mode === undefined ? this.settings.withoutKeys === 'open' : this.mode === 'open';
  }
}

function compile(rule: ExceptionRule, index: number): Matcher[] {
  const prefix = PrefixTable.fromTexts([rule.address]);
  const named = rule.protocol;
  const protocol = named === undefined ? ANY : typeof named === 'number' ? named : PROTOCOLS[named];
  const port = rule.port ?? ANY;
  const base = { rule: index, prefix, protocol, port };
  const out: Matcher = { ...base, prefixIsFar: true, portIsFar: true, farOpens: false };
  const into: Matcher = { ...base, prefixIsFar: true, portIsFar: false, farOpens: true };
  const behind: Matcher = { ...base, prefixIsFar: false, portIsFar: false, farOpens: true };
  switch (rule.direction) {
    case 'out':
      return [out];
    case 'in':
      return [into];
    case 'both':
      return [out, into];
    case 'gms':
      return [out, behind];
  }
}
