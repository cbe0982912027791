/** Superpackets of UDP (GSO_UDP_L4): which kernels hand them over to packet sockets and take them from there. */
const SINCE = [6, 2] as const; /* Linux, major and minor: VIRTIO_NET_HDR_GSO_UDP_L4 */

/** True for a kernel's release, such as 6.1.0-28-amd64, whose packet sockets carry merged datagrams. */
export function carriesDatagrams(release: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const [sinceMajor, sinceMinor] = SINCE;
  return Number(major) > sinceMajor || (Number(major) === sinceMajor && Number(minor) >= sinceMinor);
}
