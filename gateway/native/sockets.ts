/** What `socket.c`, `receive.c`, `transmit.c` and `wait.c` give JavaScript. Record columns: #wire/record.ts. */
export interface NativeSockets {
  /**
   * Opens `members` (1–64) packet sockets on an interface, joined in order into one fanout group when there are
   * several, each behind a filter that drops everything until `openForTraffic`. `mark` is the SO_MARK of all they send,
   * the buffer sizes are bytes, `program` is the classic BPF program whose result modulo `members` chooses the member
   * (#port/fanout.ts). Returns descriptors; the caller owns them and closes all of a group or none. Throws Error with
   * the system's reason; `code` is the errno.
   */
  openSockets(
    name: string,
    members: number,
    mark: number,
    receiveBytes: number,
    sendBytes: number,
    program: Uint8Array,
  ): number[];
  /** Removes the drop-all filter of the first `count` descriptors: called once, when all members of all ports exist. */
  openForTraffic(fds: Int32Array, count: number): void;
  /**
   * Gives a packet socket that a library opened the SO_MARK and the send buffer, in bytes, of `openSockets`; from then
   * on it receives nothing that is sent. RangeError for another kind of file.
   */
  adoptSocket(fd: number, mark: number, sendBytes: number): void;
  /**
   * Frames the kernel dropped for want of buffer since the last call. Adds to accepted[0], modulo 2^32, how many it
   * took in.
   */
  takeOverruns(fd: number, accepted?: Int32Array): number;
  /** Closes a packet socket or an event; RangeError for another kind of file. */
  closeSocket(fd: number): void;

  /**
   * Takes up to min(max, 64) waiting frames into slots from `firstSlot` on and writes columns 0–9 of their records.
   * Returns how many, 0 when none waits, or -errno: -ENETDOWN comes once after a link went down, and is not the end.
   */
  receive(fd: number, slab: Uint8Array, batch: Int32Array, firstSlot: number, max: number): number;
  /**
   * Sends the records whose F_STATUS is 0 and, unless `port` is -1, whose F_PORT is `port`; writes the errno of those
   * that fail. After EAGAIN or a link that is gone the rest gets the same errno untried. Records that F_NEXT chains
   * leave as one frame and get the status of their first; a chain that lies gets EINVAL.
   */
  transmit(fd: number, slab: Uint8Array, batch: Int32Array, first: number, count: number, port: number): void;

  /**
   * How a worker's turn begins: blocks the thread until one of the first `count` (up to 64) descriptors is readable or
   * in error, or it is clock[1] (ms on CLOCK_MONOTONIC, at most an hour ahead); then does `receive`, from slot 0 on,
   * from the first descriptor behind fds[0] that is ready: of fds[i] at most most[i - 1] frames. One of -1 is none.
   * Writes poll(2)'s revents into `ready`, POLLERR included, which the next `receive` clears, and the time into
   * clock[0]. Returns how many frames it took, or -errno of `receive`; throws where waiting itself fails.
   */
  next(
    fds: Int32Array,
    count: number,
    ready: Int32Array,
    clock: Float64Array,
    slab: Uint8Array,
    batch: Int32Array,
    most: Int32Array,
  ): number;
  /** A descriptor that wakes `next` from any thread. */
  createEvent(): number;
  signalEvent(fd: number): void;
  clearEvent(fd: number): void;
}

/** What `process.c` gives JavaScript. */
export interface NativeProcess {
  /** No core file, and no debugger of another user: PR_SET_DUMPABLE 0, RLIMIT_CORE 0. */
  hardenProcess(): void;
  /** Bytes that this process may lock, Infinity where nothing limits them: RLIMIT_MEMLOCK and CAP_IPC_LOCK. */
  lockedMemory(): number;
  /** Memory that malloc keeps for later goes back to the system. */
  trimMemory(): void;
  /**
   * The calling thread, and every process it starts from now on, uses the network namespace at `path`. Sockets keep the
   * namespace they were opened in, so a thread may enter, open and go back (`/proc/thread-self/ns/net`).
   */
  enterNamespace(path: string): void;
}
