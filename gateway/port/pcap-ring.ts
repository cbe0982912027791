/**
 * Frames that libpcap handed over and nobody has taken yet: a ring of bytes, bounded in bytes and in frames.
 *
 *    #bytes   ┌──────┬───────────┬─────┬╌╌╌╌╌╌╌┐     frames lie in one piece; what does not fit before the end of
 *             │ n+1  │ free      │ n-1 │   n  ╎      the ring begins at its start
 *             └──────┴───────────┴─────┴╌╌╌╌╌╌╌┘
 */
export class FrameRing {
  readonly #bytes: Uint8Array;
  /** By the frame's number modulo the capacity. */
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  #first = 0;
  #count = 0;

  /** `bytes` and `frames` are the most that wait at once. */
  constructor(bytes: number, frames: number) {
    this.#bytes = new Uint8Array(bytes);
    this.#starts = new Int32Array(frames);
    this.#lengths = new Int32Array(frames);
  }

  /** Frames that wait. */
  get count(): number {
    return this.#count;
  }

  /** Copies the first `length` bytes of `frame`, at least one, behind what waits; false when there is no room. */
  push(frame: Uint8Array, length: number): boolean {
    const capacity = this.#starts.length;
    const start = this.#count === capacity || length < 1 ? -1 : this.#placeFor(length);
    if (start < 0) return false;
    this.#bytes.set(frame.subarray(0, length), start);
    const at = (this.#first + this.#count) % capacity;
    this.#starts[at] = start;
    this.#lengths[at] = length;
    this.#count += 1;
    return true;
  }

  #placeFor(length: number): number {
    const size = this.#bytes.length;
    if (this.#count === 0) return length <= size ? 0 : -1;
    const oldest = this.#starts[this.#first];
    const last = (this.#first + this.#count - 1) % this.#starts.length;
    const end = this.#starts[last] + this.#lengths[last];
    if (this.#starts[last] < oldest) return end + length <= oldest ? end : -1;
    if (end + length <= size) return end;
    return length <= oldest ? 0 : -1;
  }

  /** Bytes of the frame that waits longest; a frame waits. */
  get length(): number {
    return this.#lengths[this.#first];
  }

  /** The 16-bit word at byte `at` of the frame that waits longest; 0 beyond its end. */
  word(at: number): number {
    if (at + 2 > this.length) return 0;
    const from = this.#starts[this.#first] + at;
    return (this.#bytes[from] << 8) | this.#bytes[from + 1];
  }

  /** Copies bytes `from … to` of the frame that waits longest to `into`, at `at`. */
  copy(from: number, to: number, into: Uint8Array, at: number): void {
    const start = this.#starts[this.#first];
    into.set(this.#bytes.subarray(start + from, start + to), at);
  }

  /** Lets the frame that waits longest go. */
  shift(): void {
    this.#first = (this.#first + 1) % this.#starts.length;
    this.#count -= 1;
  }

  /** Lets all go. */
  clear(): void {
    this.#count = 0;
  }
}
