/** Time as the key client sees it: tests bring their own. */
export interface Clock {
  /** ms, never jumps. */
  monotonic(): number;
  /** ms since 1970 as this box believes; wrong on a box without a battery. */
  wall(): number;
  /** Calls once after `ms`; the result cancels. */
  after(ms: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: Date.now,
  after: (ms, call) => {
    const timer = setTimeout(call, Math.min(ms, 0x7fff_ffff));
    return () => clearTimeout(timer);
  },
};
