/**
 * libpcap by way of npm's `cap`, and what has to be known about the two:
 *
 * - `cap` works on the main thread only: it watches its descriptor in the process's first event loop.
 * - A link that goes down ends the watching without a word (and ends the process where `cap` was built with assertions:
 *   image/prepare builds it without). Frames can still be sent; to hear again, the interface is opened anew.
 * - A `cap` must not be collected once `open` was called, neither where that failed (it would stop what it never began)
 * nor
 *   after it was closed (its handle stays in the event loop's list). Nor can it be opened again. So each stays, some
 *   hundred bytes; what it calls and where it puts frames do not.
 * - `cap` cannot choose a direction. libpcap's filter `inbound` can, but it loses the first frame behind every filter;
 * so
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
  /** Told the length of each frame. */
  onFrame: ((length: number) => void) | undefined;
  /** @throws Error with libpcap's words */
  open(device: string, filter: string, bufferBytes: number, frame: Buffer): string;
  send(frame: Buffer, length: number): void;
  close(): boolean;
}

/** Kernel buffer of an interface, bytes. A slot has the size of the MTU: several thousand frames. */
const BUFFER_BYTES = 8_388_608;
/** `cap` asks libpcap for this much of a frame; one that fills it may have been longer. */
export const SNAPSHOT_BYTES = 65_535;
/** Room for one. */
export const FRAME_BYTES = SNAPSHOT_BYTES + 1;

/** Kept from collection: one for each call of `open`. Ports try it when a link came up, not while it is down. */
const handles: Handle[] = [];
let makeHandle: (() => Handle) | undefined;

/** `cap` is loaded where it is used only: a gateway with packet sockets does not need it. */
function newHandle(): Handle {
  makeHandle ??= loadCap();
  const handle = makeHandle();
  handles.push(handle);
  return handle;
}

function loadCap(): () => Handle {
  const { Cap } = createRequire(import.meta.url)('cap') as { Cap: new () => Omit<Handle, 'onFrame'> };
  /* `cap` takes the method `emit` once, when it is made: events need no dispatch. */
  class Listener extends Cap {
    onFrame: Handle['onFrame'];
    emit(_event: 'packet', length: number): void {
      this.onFrame?.(length);
    }
  }
  return () => new Listener();
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
  /** Frames that the kernel took in, as far as it was asked, and those that came from there; modulo 2^32. */
  readonly #accepted = new Int32Array(1);
  #heard = 0;

  /**
   * Opens an Ethernet interface for frames that come in. Each is put into `frame`, of FRAME_BYTES, then `onFrame` is
   * called with its length, on the event loop; it keeps what it needs of it.
   * @throws CaptureError; Error with libpcap's words, for a link that is down as well
   */
  constructor(name: string, { mark, sendBytes }: CaptureOptions, frame: Buffer, onFrame: (length: number) => void) {
    this.#handle = newHandle();
    const before = sockets();
    const type = this.#handle.open(name, '', BUFFER_BYTES, frame);
    this.#handle.onFrame = (length) => {
      this.#heard = (this.#heard + 1) | 0;
      onFrame(length);
    };
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
    return native.takeOverruns(this.#fd, this.#accepted);
  }

  /** Frames that lay in the kernel's buffer when `takeOverruns` was called last, and have not come since. */
  get unread(): number {
    return (this.#accepted[0] - this.#heard) | 0;
  }

  close(): void {
    this.#handle.close();
    this.#handle.onFrame = undefined;
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
