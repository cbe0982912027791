/** What `probe.c` gives JavaScript. */
export interface NativeProbe {
  /**
   * True when packet sockets take datagrams of this GSO type (#wire/record.ts). Asks the kernel, by one frame in a
   * network namespace that is made for it and ends with it: some milliseconds. False, too, where none can be made.
   */
  takesDatagrams(gsoType: number): boolean;
}
