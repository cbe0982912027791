/** An independent look at a link: tcpdump into a file, ready before the first frame, whole after the last. */
import { join } from 'node:path';
import type { Lab } from './lab.ts';
import type { Machine } from './machine.ts';
import { MARKERS } from './payload.ts';
import { type CapturedFrame, framesWith, readCapture } from './pcap.ts';
import type { Program } from './process.ts';

/**
 * Bytes kept of each frame: a whole one, or the beginning of a superpacket. Of `sealed` the beginning shows what it is:
 * segments merge only with the same options, so either all of them are protected or none is.
 */
const SNAPSHOT = 2_048;
/** Where superpackets are looked through to their end, as those of `pccom` must be. */
export const WHOLE = { snapshot: 65_536 + 128, waiting: 4_096 };
/** Frames that wait in the kernel's buffer while the machine is busy; each takes a slot of the snapshot's size. */
const WAITING = 65_536;
/** What the kernel puts in front of each frame, rounded up, bytes. */
const SLOT_HEADER = 128;

export interface CaptureOptions {
  /** pcap filter expression, one word each. */
  readonly filter?: readonly string[];
  readonly direction?: 'in' | 'out' | 'inout';
  /** Bytes kept of each frame; enough for a whole one by default. */
  readonly snapshot?: number;
  /** Frames that may wait in the kernel's buffer. */
  readonly waiting?: number;
}

export class Capture {
  readonly #program: Program;
  readonly #file: string;

  private constructor(program: Program, file: string) {
    this.#program = program;
    this.#file = file;
  }

  /** Resolves when the kernel has begun to hand frames over. */
  static async start(lab: Lab, machine: Machine, link: string, options: CaptureOptions = {}): Promise<Capture> {
    const { filter = [], direction = 'inout', snapshot = SNAPSHOT, waiting = WAITING } = options;
    const file = join(lab.directory('captures'), `${machine.name}-${link}-${captures++}.pcap`);
    const buffer = Math.ceil((waiting * (snapshot + SLOT_HEADER)) / 1024);
    const how = ['-n', '-U', '--immediate-mode', '-Z', 'root', '-B', String(buffer), '-s', String(snapshot)];
    const words = ['tcpdump', ...how, '-Q', direction, '-i', link, '-w', file, ...filter];
    const program = machine.start(words);
    await program.err.next(/listening on/);
    return new Capture(program, file);
  }

  /** The frames so far, while the capture goes on. */
  frames(): CapturedFrame[] {
    return readCapture(this.#file);
  }

  /** Ends the capture; everything that the kernel saw until now is in it. @throws Error when frames were lost */
  async stop(): Promise<CapturedFrame[]> {
    await this.#program.stop('SIGINT');
    const dropped = this.#program.err.all.map((l) => /^(\d+) packets? dropped by kernel/.exec(l)?.[1]).find(Boolean);
    if (dropped === undefined) throw new Error(`tcpdump: ${this.#program.err.all.join('\n')}`);
    if (dropped !== '0') throw new Error(`the capture lost ${dropped} frames`);
    return readCapture(this.#file);
  }

  /** How many frames so far show plaintext of a device. */
  countFramesWith(markers: readonly string[] = MARKERS): number {
    return framesWith(this.frames(), markers).length;
  }
}

let captures = 0;
