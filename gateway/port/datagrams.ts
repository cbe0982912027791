/** Superpackets of UDP: whether packet sockets of the running kernel carry them, in and out. Linux 6.2 and later do. */
import { native } from '#native/native.ts';
import { GSO_UDP_L4 } from '#wire/record.ts';

let carries: boolean | undefined;

/** Asks the kernel at the first call of a thread: some milliseconds. */
export function carriesDatagrams(): boolean {
  carries ??= native.takesDatagrams(GSO_UDP_L4);
  return carries;
}
