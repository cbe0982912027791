/**
 * Reads capture files (libpcap's own format, https://www.tcpdump.org/manpages/pcap-savefile.5.html) and shows frames.
 */
import { readFileSync } from 'node:fs';

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const LINK_ETHERNET = 1;

export interface CapturedFrame {
  /** Seconds since 1970. */
  readonly time: number;
  readonly bytes: Buffer;
}

/** Reads a whole file. @throws Error when it is not a capture of an Ethernet link on this machine */
export function readCapture(path: string): CapturedFrame[] {
  const file = readFileSync(path);
  if (file.length < FILE_HEADER) throw new Error(`${path} is no capture`);
  const magic = file.readUInt32LE(0);
  if (magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS)
    throw new Error(`${path}: magic ${magic.toString(16)}`);
  if (file.readUInt32LE(20) !== LINK_ETHERNET) throw new Error(`${path}: link type ${file.readUInt32LE(20)}`);
  const fraction = magic === MAGIC_NANOSECONDS ? 1e9 : 1e6;
  const frames: CapturedFrame[] = [];
  for (let at = FILE_HEADER; at + RECORD_HEADER <= file.length; ) {
    const length = file.readUInt32LE(at + 8);
    const time = file.readUInt32LE(at) + file.readUInt32LE(at + 4) / fraction;
    const start = at + RECORD_HEADER;
    if (start + length > file.length) break; // the last one was cut off by a kill
    frames.push({ time, bytes: file.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}

/** Frames that contain any of the markers. */
export function framesWith(frames: readonly CapturedFrame[], markers: readonly string[]): CapturedFrame[] {
  const needles = markers.map((m) => Buffer.from(m, 'latin1'));
  return frames.filter(({ bytes }) => needles.some((n) => bytes.includes(n)));
}

/** Offset, hex and ASCII, `width` bytes a line, the first `limit` bytes. */
export function hexLines(bytes: Uint8Array, limit = 128, width = 16): string[] {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, limit); at += width) {
    const part = [...bytes.subarray(at, Math.min(at + width, limit))];
    const hex = part.map((b) => b.toString(16).padStart(2, '0')).join(' ');
    const text = part.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(width * 3 - 1)}  ${text}`);
  }
  return lines;
}

/** What a frame shows of a TCP segment, read apart from the gateway's own parser. */
export interface Segment {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly flags: number;
  /** From the start of the frame. */
  readonly payloadOffset: number;
  readonly payloadBytes: number;
}

const ETHERNET = 14;
const TCP = 6;

/** The TCP segment of an untagged Ethernet frame without extension headers. */
export function tcpSegment({ bytes }: CapturedFrame): Segment | undefined {
  const type = bytes.length >= ETHERNET + 40 ? bytes.readUInt16BE(12) : 0;
  const four = type === 0x0800 && bytes[ETHERNET + 9] === TCP;
  const six = type === 0x86dd && bytes[ETHERNET + 6] === TCP;
  if (!four && !six) return undefined;
  const ip = four ? (bytes[ETHERNET] & 15) * 4 : 40;
  const total = four ? bytes.readUInt16BE(ETHERNET + 2) : 40 + bytes.readUInt16BE(ETHERNET + 4);
  const at = ETHERNET + ip;
  if (bytes.length < at + 20) return undefined;
  const payloadOffset = at + (bytes[at + 12] >> 4) * 4;
  const address = (offset: number) => bytes.toString('hex', offset, offset + (four ? 4 : 16));
  const from = ETHERNET + (four ? 12 : 8);
  return {
    source: address(from),
    destination: address(from + (four ? 4 : 16)),
    sourcePort: bytes.readUInt16BE(at),
    destinationPort: bytes.readUInt16BE(at + 2),
    sequence: bytes.readUInt32BE(at + 4),
    flags: bytes[at + 13],
    payloadOffset,
    payloadBytes: ETHERNET + total - payloadOffset,
  };
}
