/**
 * What the devices send each other: bytes that differ everywhere, and bear a marker so densely that every full frame
 * has one.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';

/** In every payload of a lab, at least once in MARKER_EVERY bytes; never in anything that a gateway makes by itself. */
export const MARKER = 'PLAINTEXT-OF-A-DEVICE';
export const MARKER_EVERY = 256;

const CHUNK_BYTES = 1 << 20;

export interface Payload {
  readonly bytes: number;
  /** SHA-256, hex. */
  readonly checksum: string;
}

/** Writes a file of `bytes` bytes; lines of MARKER_EVERY bytes, numbered, so that a lost or swapped one is found. */
export function writePayload(path: string, bytes: number): Payload {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const file = openSync(path, 'w');
  try {
    for (let done = 0; done < bytes; done += CHUNK_BYTES) {
      fillLines(chunk, done / MARKER_EVERY);
      const part = chunk.subarray(0, Math.min(CHUNK_BYTES, bytes - done));
      hash.update(part);
      writeSync(file, part);
    }
  } finally {
    closeSync(file);
  }
  return { bytes, checksum: hash.digest('hex') };
}

function fillLines(chunk: Buffer, first: number): void {
  for (let at = 0, line = first; at < chunk.length; at += MARKER_EVERY, line++) {
    chunk.fill(`${MARKER} ${line} `, at, at + MARKER_EVERY - 1, 'latin1');
    chunk[at + MARKER_EVERY - 1] = 0x0a;
  }
}

/** A ping's payload that shows the marker: `ping -p` takes at most 16 bytes, and repeats them. */
export const PING_MARKER = 'PLAIN-PING-BYTES';
/** Host names that are asked for show the marker in the question. */
export const NAME_MARKER = 'plaintext-name';

/** Everything that no frame of a protected pair may show. */
export const MARKERS: readonly string[] = [MARKER, PING_MARKER, NAME_MARKER];
