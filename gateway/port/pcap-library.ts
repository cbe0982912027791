/**
 * libpcap by way of npm's `cap`, and what has to be known about the two:
 *
 * - `cap` works on the main thread only: it watches its descriptor in the process's first event loop.
 * - A link that goes down ends the watching without a word (and ends the process where `cap` was built with assertions:
 *   image/prepare builds it without). Frames can still be sent; to hear again, the interface is opened anew.
 * - A `cap` must not be collected, neither one that could not be opened (it stops what it never began) nor one that was
 *   closed (its handle stays in the event loop's list).
 * - `cap` cannot choose a direction. libpcap's filter `inbound` can, but it loses the first frame behind every filter; so
 *   the socket is told not to receive what is sent.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { native } from '#native/native.ts';

/** What the socket of an interface gets, as those of the packet port do. */
export interface CaptureOptions {
  /** SO_MARK of everything sent: the egress drop lets only this pass. */
  readonly mark: number;
  /** Bytes of send buffer; the kernel doubles them for its own book-keeping. */
  readonly sendBytes: number;
}

/** One opened interface of `cap`. */
interface Handle {
  /** @throws Error with libpcap's words */
  open(device: string, filter: string, bufferBytes: number, frame: Buffer): string;
  send(frame: Buffer, length: number): void;
  close(): boolean;
}

/** Kernel buffer of an interface, bytes. A slot has the size of the MTU: several thousand frames. */
const BUFFER_BYTES = 8_388_608;
/** `cap` asks libpcap for this much of a frame; one that fills it may have been longer. */
export const SNAPSHOT_BYTES = 65_535;

let CapHandle: (new () => Handle) | undefined;
/** Kept from collection: one for each time that an interface was opened, not for each try while its link is down. */
const handles: Handle[] = [];

/** Loaded where it is used only: a gateway with packet sockets does not need it. */
function handleClass(): new () => Handle {
  CapHandle ??= (createRequire(import.meta.url)('cap') as { Cap: new () => Handle }).Cap;
  return CapHandle;
}

const ERRNO_OF = new Map([...getSystemErrorMap()].map(([number, [, words]]) => [words, -number]));

/** The errno in libpcap's words for a failed send: "send: Network is down". */
function errnoOf(error: unknown): number {
  const words = error instanceof Error ? error.message.replace(/^send: /, '').toLowerCase() : '';
  return ERRNO_OF.get(words) ?? constants.errno.EIO;
}

/** Descriptors of this process that are sockets, each with its inode. `cap` does not tell which one is its. */
function sockets(): Map<string, number> {
  const found = new Map<string, number>();
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      if (target.startsWith('socket:')) found.set(target, Number(fd));
    } catch {
      /* the directory's own descriptor is gone by now */
    }
  }
  return found;
}

/** What libpcap opened is of no use here, in both languages. */
export class CaptureError extends Error {
  readonly text: { readonly en: string; readonly ja: string };

  constructor(text: CaptureError['text']) {
    super(text.en);
    this.text = text;
  }
}

const notEthernet = (type: string): CaptureError['text'] => ({
  en: `an Ethernet interface is expected, libpcap says ${type}`,
  ja: `Ethernetのインタフェースが必要です。libpcapによる種別は${type}です`,
});

const NO_SOCKET: CaptureError['text'] = {
  en: 'the socket of libpcap is not in /proc/self/fd',
  ja: 'libpcapのソケットが/proc/self/fdに見つかりません',
};

export class Capture {
  readonly #handle: Handle;
  readonly #fd: number;
  /** Where libpcap puts the frame of which `onFrame` tells the length. */
  readonly frame = Buffer.alloc(SNAPSHOT_BYTES + 1);

  /**
   * Opens an Ethernet interface for frames that come in. `onFrame` is called on the event loop, for one frame after the
   * other; it keeps what it needs of `frame`.
   * @throws CaptureError; Error with libpcap's words, for a link that is down as well
   */
  constructor(name: string, { mark, sendBytes }: CaptureOptions, onFrame: (length: number) => void) {
    const Handle = handleClass();
    /* `cap` takes the method `emit` once, when it is made: events need no dispatch. */
    class Listener extends Handle {
      emit(_event: 'packet', length: number): void {
        onFrame(length);
      }
    }
    this.#handle = new Listener();
    handles.push(this.#handle);
    const before = sockets();
    const type = this.#handle.open(name, '', BUFFER_BYTES, this.frame);
    try {
      if (type !== 'ETHERNET') throw new CaptureError(notEthernet(type));
      this.#fd = adopt(before, mark, sendBytes);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Sends the first `length` bytes; 0 or an errno. */
  send(frame: Buffer, length: number): number {
    try {
      this.#handle.send(frame, length);
      return 0;
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** Frames the kernel dropped for want of buffer since the last call. */
  takeOverruns(): number {
    return native.takeOverruns(this.#fd);
  }

  close(): void {
    this.#handle.close();
  }
}

/** Sets up the one packet socket that is new since `before`, and returns its descriptor. */
function adopt(before: ReadonlyMap<string, number>, mark: number, sendBytes: number): number {
  for (const [socket, fd] of sockets()) {
    if (before.has(socket)) continue;
    try {
      native.adoptSocket(fd, mark, sendBytes);
      return fd;
    } catch (error) {
      /* Another thread's new socket, of another kind, or closed again already. */
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw new CaptureError(NO_SOCKET);
}
