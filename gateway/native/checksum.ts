/** What `checksum.c` gives JavaScript. */
export interface NativeChecksum {
  /**
   * The folded one's complement sum (RFC 1071) of `length` bytes at `offset` on top of `initial` (0–2³¹-1), not
   * inverted: 0xffff where a correct checksum is part of it.
   */
  checksum(bytes: Uint8Array, offset: number, length: number, initial: number): number;
}
