/** Limits of the datapath, each with unit and reason. */

/**
 * Frames taken from one port per turn: enough to fill a batch of system calls, short enough that the other port waits
 * little.
 */
export const BATCH = 64;
/**
 * The same where the last ones held a superpacket: what they weigh stays in the processor's cache
 * (docs/performance.md).
 */
export const BATCH_OF_SUPERPACKETS = 32;
/** Bytes of the slab's work area: a superpacket sealed is under 100 KB; beyond this the batch is sent. */
export const WORK_BYTES = 1_048_576;
/** Records of the work list: about sixteen superpackets of 45 segments. */
export const WORK_RECORDS = 1024;

/**
 * Hold queue, one worker: bytes overall, and what one pair may take of it (a TCP window's first flight fits), each way.
 */
export const HOLD_BYTES = 8_388_608;
export const HOLD_BYTES_PER_PAIR = 262_144;
export const HOLD_FRAMES_PER_PAIR = 256;
/** The same while it waits for the answer to a key switch: 1 Gbit/s for 30 ms. */
export const HOLD_BYTES_PER_SWITCH = 4_194_304;
export const HOLD_FRAMES_PER_SWITCH = 4_096;
/** Frames of all pairs: a held frame costs some 500 bytes beside its own. */
export const HOLD_FRAMES = 16_384;
/** Share of HOLD_BYTES and HOLD_FRAMES for frames that came from outside (§ 3.2). */
export const HOLD_INBOUND_SHARE = 0.25;

/**
 * Pairs one worker knows at most (the idlest makes room), and how long one lasts without traffic; its association ends
 * with it.
 */
export const PAIR_LIMITS = { capacity: 65_536, idleMs: 3_600_000 };
/** The same for flows; a TCP connection that was closed lasts shorter. */
export const FLOW_LIMITS = { capacity: 262_144, idleMs: 300_000, closedIdleMs: 10_000 };
/**
 * Associations of one worker, under `sealed`: each has two keys of the provider's 16,384 places, of which DPRP may take
 * 6,272 (§ 8) and two identities, the new and the old one, 131 each (#gms/bundle.ts). Under `pccom` one takes as many
 * places as two, with keyed checksums as three.
 */
export const MAX_ASSOCIATIONS = 4_864;
/** MAC addresses, learned only where the box has an address of its own. */
export const MAX_MACS = 8_192;
/** Of these, told to the other workers in a second: whoever makes addresses up does not fill their mailboxes. */
export const MACS_TOLD_PER_SECOND = 500;

/**
 * An old generation is received this long after the new one is confirmed, ms: the far end may send with it until it has
 * CDN (§ 7.2, § 7.4).
 */
export const GRACE_MS = 12_000;
/** The same once the far end is known to send with the new one, ms: what is in flight. Generations are scarce. */
export const FLIGHT_MS = 3_000;
/**
 * Before a key switch what is not TCP is silent for twice what the negotiation's round trip took, within these, ms:
 * packets that the switch overtakes are under keys that count no longer (§ 11.5). One round trip can be two quick ways,
 * by chance.
 */
export const GUARD_MS = 5;
export const GUARD_MAX_MS = 100;
/**
 * Who started less than this ago may have sent before, under keys that nobody holds any more: its first agreements
 * begin with a key switch, ms (§ 11.1).
 */
export const STARTED_MS = 500;
/** TCP connections that one key switch names; where a pair has more all of it waits instead (§ 11.5). */
export const SWITCH_CONNECTIONS = 4_096;
/**
 * Connections that far ends named in the switches that are remembered, all of a worker: up to 100 bytes each, and twice
 * as many as there are flows. Half of them from one gateway.
 */
export const NAMED_CONNECTIONS = 524_288;
/**
 * An old generation of `pccom` is kept this long for octets that were sent under it and may come again, ms (§ 11.7).
 */
export const PCCOM_GRACE_MS = 120_000;
/**
 * After that its sender refuses such octets for this long, ms; in the middle of it the receiver, who began a few
 * seconds earlier at most, forgets the switch (§ 11.7).
 */
export const PCCOM_AFTER_MS = 60_000;
/** Plaintext is still taken from a peer that will switch from it to `pccom`, ms (§ 11.4). */
export const PLAIN_GRACE_MS = 12_000;
/** The same as RENEW_AFTER_MS for `pccom`, which wears its keys less and has to switch (§ 3.4). */
export const RENEW_PCCOM_MS = 86_400_000;
/** An association is renewed at the latest after this, ms (§ 3.4). */
export const RENEW_AFTER_MS = 3_600_000;
/** The same where the far end did not have our newest key yet, ms; it renews by itself once it has. */
export const RENEW_BEHIND_MS = 60_000;
/** Renewals of one rotation are spread over this, ms, so that not all pairs negotiate in the same instant. */
export const RENEW_SPREAD_MS = 1_000;
/** A renewal that came to nothing is tried again after this, ms. */
export const RENEW_RETRY_MS = 2_000;
/**
 * Where a far end's MPIT was awaited in vain, devices do not wait for another for this long, ms: they ask themselves
 * (§ 10, replay).
 */
export const EXPECT_AGAIN_MS = 10_000;
/** A pair whose keys had no room is negotiated anew after this, ms (§ 7.5). */
export const NO_ROOM_MS = 1_000;
/**
 * An association that sends for this long, ms, and hears nothing is re-validated; each time twice as long, up to the
 * second.
 */
export const ONE_WAY_MS = 2_000;
export const ONE_WAY_MAX_MS = 64_000;
/** Received traffic renews the memory of a protected peer at most once in this time and association, ms. */
export const REMEMBER_EVERY_MS = 60_000;
/** Re-validations and notices per pair: at most one in this time, ms. */
export const PER_PAIR_MS = 1_000;
/** A plaintext verdict is asked about again this long before it ends, ms, so that traffic does not wait. */
export const REVALIDATE_BEFORE_MS = 5_000;
/** A notice counts if the quoted packet number was sent within this, ms (§ 3.4). */
export const NOTICE_WINDOW_MS = 2_000;
/** A path MTU that an ICMP error reported is believed this long, ms (RFC 1191 § 6.3). */
export const PATH_MTU_MS = 600_000;
/** Sweeps of tables: every this many ms, this many entries each. */
export const SWEEP_MS = 1_000;
export const SWEEP_ENTRIES = 4_096;
/**
 * People's looks at the tables, per turn of the datapath: so many rows are walked, then so many are made readable.
 * Either takes about a millisecond at most (docs/performance.md).
 */
export const LOOK_ROWS = 4_096;
export const LOOK_VIEWS = 256;
/** Pairs of an address that `explain` shows. */
export const EXPLAINED_PAIRS = 100;
/** Errors to devices, and notices of each of the two kinds, per worker and second: they must not become a flood. */
export const ERRORS_PER_SECOND = 200;
