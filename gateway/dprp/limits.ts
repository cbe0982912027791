/** Timers and bounds of DPRP, docs/dprp.md § 7 and § 8. Milliseconds unless a name says otherwise. */
export interface Limits {
  /** § 7.1: a request is sent this long after its first; a DDE's silence is judged at `silence`. */
  readonly tries: readonly number[];
  readonly silence: number;
  /** § 7.1: the earliest judgement where the destination echoed before: max(this, 4 × round trip). */
  readonly silenceKnown: number;
  /** § 7.2: MPIT goes on once per `mpitEvery` after `tries`, and is given up after `mpitFor`. */
  readonly mpitEvery: number;
  readonly mpitFor: number;
  /** § 7.3: how long a late RGI is welcome after a verdict without one. */
  readonly settledFor: number;
  /** § 11.6: KSW is repeated like MPIT, and given up after this. */
  readonly switchFor: number;
  /**
   * § 7.3: how long the responder waits for MPIT, and keeps answers for repeats: longer than mpitFor and settledFor.
   */
  readonly answerFor: number;
  /** The responder's datapath holds protected packets of the pair this long for MPIT. */
  readonly expectFor: number;
  /** § 7.5: verdicts end after this. */
  readonly plainFor: number;
  readonly discardFor: number;
  readonly retryAfter: number;

  /** § 8: table sizes. A quarter of `running` is the most that packets from outside may start. */
  readonly running: number;
  /** Of these, for one device behind us: one that scans the network does not refuse the others theirs. */
  readonly runningPerDevice: number;
  readonly settled: number;
  readonly halfOpen: number;
  /** Half-open negotiations of one source GE. */
  readonly halfOpenPerGe: number;
  readonly answered: number;
  /** Half-open ones whose keys are made before MPIT comes: bounds what DDEs without MPIT cost. */
  readonly prepared: number;
  /** Key switches that run, or are gathered, or were followed lately. */
  readonly switches: number;
  /** Bytes of key switches that are followed: what is gathered, and what repeats are known by. */
  readonly followedBytes: number;
  readonly peers: number;
  readonly roundTrips: number;
  /** Ready ephemeral key pairs, and how many one tick may add. */
  readonly ephemerals: number;
  readonly ephemeralsPerTick: number;
  /** Statement signatures verified per second: each costs about 0.1 ms. */
  readonly verifications: number;

  /** § 8: least time between two of a kind. */
  readonly inboundEvery: number;
  readonly healEvery: number;
  readonly noticeEvery: number;
  readonly askEvery: number;
  readonly alarmEvery: number;
}

export const LIMITS: Limits = {
  tries: [0, 30, 90, 250, 600],
  silence: 1_000,
  silenceKnown: 150,
  mpitEvery: 1_000,
  mpitFor: 10_000,
  settledFor: 10_000,
  switchFor: 10_000,
  answerFor: 12_000,
  expectFor: 2_000,
  plainFor: 60_000,
  discardFor: 10_000,
  retryAfter: 2_000,

  running: 1_024,
  runningPerDevice: 768,
  settled: 1_024,
  halfOpen: 2_048,
  halfOpenPerGe: 512,
  answered: 4_096,
  prepared: 64,
  switches: 4_096,
  followedBytes: 8_388_608,
  peers: 1_024,
  roundTrips: 1_024,
  ephemerals: 64,
  ephemeralsPerTick: 8,
  verifications: 500,

  inboundEvery: 1_000,
  healEvery: 1_000,
  noticeEvery: 25,
  askEvery: 5_000,
  alarmEvery: 5_000,
};
