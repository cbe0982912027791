/**
 * The statement: what the GMS says, signed, about one GE. DPRP carries it, so that a GE's mode, groups and static
 * key are the GMS's word and not its own. docs/dprp.md § 3.4.
 *
 * ```
 *  0       4         5      6      7            8       16                  48         56
 *  +-------+---------+------+------+------------+-------+-------------------+----------+------------+-----------+
 *  | GSST  | version | mode | kind | groupCount | GE id | static X25519 key | notAfter | groups u32 | signature |
 *  +-------+---------+------+------+------------+-------+-------------------+----------+------------+-----------+
 *      4        1       1      1         1          8            32              8      4·groupCount     64
 * ```
 *
 * All numbers are big-endian; groups ascend without a repeat. The signature is Ed25519 (RFC 8032) over
 * STATEMENT_CONTEXT ‖ everything before the signature. Exactly one encoding exists for given fields.
 */
const MAGIC = 0x47535354; /* "GSST" */
const VERSION = 1;
const FIXED = 56; /* bytes before the groups */

/** Groups that one statement can name. */
export const STATEMENT_GROUPS = 64;
export const SIGNATURE_LENGTH = 64; /* Ed25519 */
/** Bytes of the longest statement. */
export const STATEMENT_MAX = FIXED + 4 * STATEMENT_GROUPS + SIGNATURE_LENGTH;
/** What stands before the body under the signature: a signature over something else never fits a statement. */
export const STATEMENT_CONTEXT: Uint8Array = new TextEncoder().encode('gscip statement 1\0');

/** In the order of their numbers on the wire. */
export const MODES = ['open', 'closed'] as const;
export const KINDS = ['bridge', 'router', 'host'] as const;

export interface StatementFields {
  readonly mode: (typeof MODES)[number];
  readonly kind: (typeof KINDS)[number];
  /** 8 bytes. */
  readonly geId: Uint8Array;
  /** X25519, 32 bytes. */
  readonly staticKey: Uint8Array;
  /** Seconds since 1970 by the GMS's clock; the statement counts for nothing after it. */
  readonly notAfter: number;
  /** Group numbers (u32), ascending, at most STATEMENT_GROUPS. */
  readonly groups: readonly number[];
}

export interface Statement extends StatementFields {
  /** STATEMENT_CONTEXT ‖ body: what `signature` must verify over. */
  readonly signed: Uint8Array;
  /** Ed25519, 64 bytes; not yet verified. */
  readonly signature: Uint8Array;
}

/**
 * The body: a statement without its signature.
 * @throws RangeError naming the field: fields come from our own store, so a wrong one is our own bug.
 */
export function encodeStatementBody(fields: StatementFields): Uint8Array {
  const { groups } = fields;
  const fail = (field: string, rule: string): never => {
    throw new RangeError(`statement: ${field} must be ${rule}`);
  };
  const mode = MODES.indexOf(fields.mode);
  const kind = KINDS.indexOf(fields.kind);
  if (mode < 0) fail('mode', MODES.join(' or '));
  if (kind < 0) fail('kind', KINDS.join(' or '));
  if (fields.geId.length !== 8) fail('geId', '8 bytes');
  if (fields.staticKey.length !== 32) fail('staticKey', '32 bytes');
  if (!Number.isSafeInteger(fields.notAfter) || fields.notAfter < 0) fail('notAfter', 'whole seconds since 1970');
  if (groups.length > STATEMENT_GROUPS) fail('groups', `at most ${STATEMENT_GROUPS}`);
  groups.forEach((group, i) => {
    if (group >>> 0 !== group) fail('groups', 'numbers of 32 bits');
    if (i > 0 && group <= groups[i - 1]) fail('groups', 'ascending, each once');
  });

  const body = new Uint8Array(FIXED + 4 * groups.length);
  const view = new DataView(body.buffer);
  view.setUint32(0, MAGIC);
  body[4] = VERSION;
  body[5] = mode;
  body[6] = kind;
  body[7] = groups.length;
  body.set(fields.geId, 8);
  body.set(fields.staticKey, 16);
  view.setBigUint64(48, BigInt(fields.notAfter));
  groups.forEach((group, i) => {
    view.setUint32(FIXED + 4 * i, group);
  });
  return body;
}

/** STATEMENT_CONTEXT ‖ body: what the GMS signs with Ed25519. */
export function statementToSign(body: Uint8Array): Uint8Array {
  const signed = new Uint8Array(STATEMENT_CONTEXT.length + body.length);
  signed.set(STATEMENT_CONTEXT);
  signed.set(body, STATEMENT_CONTEXT.length);
  return signed;
}

/** Body ‖ signature: the statement as it is delivered and carried. */
export function joinStatement(body: Uint8Array, signature: Uint8Array): Uint8Array {
  const statement = new Uint8Array(body.length + SIGNATURE_LENGTH);
  statement.set(body);
  statement.set(signature.subarray(0, SIGNATURE_LENGTH), body.length);
  return statement;
}

/**
 * Reads a whole statement: every byte of `bytes` must belong to it. The fields are copies. Undefined when it is not a
 * statement; the signature and the expiry are the caller's to check.
 */
export function decodeStatement(bytes: Uint8Array): Statement | undefined {
  if (bytes.length < FIXED + SIGNATURE_LENGTH) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes[7];
  const bodyLength = FIXED + 4 * count;
  if (view.getUint32(0) !== MAGIC || bytes[4] !== VERSION) return undefined;
  if (count > STATEMENT_GROUPS || bytes.length !== bodyLength + SIGNATURE_LENGTH) return undefined;
  const mode = MODES[bytes[5]];
  const kind = KINDS[bytes[6]];
  const notAfter = Number(view.getBigUint64(48));
  if (mode === undefined || kind === undefined || !Number.isSafeInteger(notAfter)) return undefined;
  const groups: number[] = [];
  for (let i = 0; i < count; i++) {
    const group = view.getUint32(FIXED + 4 * i);
    if (i > 0 && group <= groups[i - 1]) return undefined;
    groups.push(group);
  }
  return {
    mode,
    kind,
    geId: bytes.slice(8, 16),
    staticKey: bytes.slice(16, 48),
    notAfter,
    groups,
    signed: statementToSign(bytes.subarray(0, bodyLength)),
    signature: bytes.slice(bodyLength),
  };
}
