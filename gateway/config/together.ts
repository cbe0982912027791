/**
 * What concerns two fields at once. Looks at the file's values as they are, so that it also finds mistakes in a file
 * that has others.
 */
import { type Address, contains, parseAddress, parsePrefix } from './address.ts';
import type { Text } from './text.ts';

export interface Contradiction {
  readonly path: readonly (string | number)[];
  readonly text: Text;
}

type Values = Readonly<Record<string, unknown>>;
const record = (value: unknown): Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Every interface has one task. */
function interfaces(file: Values, managementDefault: string): Contradiction[] {
  const management = file.management === undefined ? undefined : (record(file.management).name ?? managementDefault);
  const named = [
    { path: ['outer'], name: file.outer },
    { path: ['inner'], name: file.inner },
    { path: record(file.management).name === undefined ? ['management'] : ['management', 'name'], name: management },
  ].filter((port) => typeof port.name === 'string');
  return named.flatMap((port, index) => {
    const twin = named.slice(0, index).find((other) => other.name === port.name);
    if (twin === undefined) return [];
    const other = twin.path.join('.');
    return [
      {
        path: port.path,
        text: {
          en: `${JSON.stringify(port.name)} is already the interface of "${other}"; every port needs an interface of its own`,
          ja: `${JSON.stringify(port.name)}はすでに「${other}」で使われています。ポートごとに別のインタフェースを指定してください`,
        },
      },
    ];
  });
}

/** A default route needs its router on a link of ours, and one per IP version. */
function routes(file: Values): Contradiction[] {
  const management = record(file.management);
  const addresses = list(management.addresses).flatMap((value) => {
    const prefix = typeof value === 'string' ? parsePrefix(value) : undefined;
    return prefix === undefined ? [] : [prefix];
  });
  const seen: Address[] = [];
  return list(management.gateways).flatMap((value, index) => {
    const router = typeof value === 'string' ? parseAddress(value) : undefined;
    if (router === undefined) return [];
    const path = ['management', 'gateways', index];
    const second = seen.some((other) => other.version === router.version);
    seen.push(router);
    if (second) {
      return [
        {
          path,
          text: {
            en: `is a second default gateway for IPv${router.version}; one per IP version is allowed`,
            ja: `IPv${router.version}のデフォルトゲートウェイが2つあります。IPバージョンごとに1つだけ指定できます`,
          },
        },
      ];
    }
    const linkLocal = router.version === 6 && router.linkLocal;
    if (linkLocal || addresses.some((prefix) => contains(prefix, router))) return [];
    return [
      {
        path,
        text: {
          en: `${router.text} is in none of the networks of management.addresses`,
          ja: `${router.text}はmanagement.addressesのどのネットワークにも含まれていません`,
        },
      },
    ];
  });
}

function addressesOnce(file: Values): Contradiction[] {
  const addresses = list(record(file.management).addresses).map((value) =>
    typeof value === 'string' ? parsePrefix(value)?.text : undefined,
  );
  return addresses.flatMap((address, index) =>
    address !== undefined && addresses.indexOf(address) < index
      ? [
          {
            path: ['management', 'addresses', index],
            text: { en: `${address} is listed twice`, ja: `${address}が2回指定されています` },
          },
        ]
      : [],
  );
}

/**
 * An exception says what it opens; one that opens everything is refused, because nobody would be protected any more.
 */
function exceptions(file: Values): Contradiction[] {
  return list(file.exceptions).flatMap((value, index) => {
    const { address, protocol, port } = record(value);
    const ports = protocol === 'tcp' || protocol === 'udp' || protocol === 6 || protocol === 17;
    if (port !== undefined && !ports) {
      return [
        {
          path: ['exceptions', index, 'port'],
          text: {
            en: 'a port needs "protocol: tcp" or "protocol: udp" beside it',
            ja: 'ポートを指定するときは「protocol: tcp」または「protocol: udp」も必要です',
          },
        },
      ];
    }
    const everywhere = typeof address === 'string' && parsePrefix(address)?.length === 0;
    if (!everywhere || (ports ? port !== undefined : protocol !== undefined)) return [];
    return [
      {
        path: ['exceptions', index, 'address'],
        text: {
          en: `${JSON.stringify(address)} would except all traffic from protection; name a protocol, and for tcp and udp a port`,
          ja: `${JSON.stringify(address)}ではすべての通信が保護の対象外になります。プロトコルを指定し、tcpとudpではポートも指定してください`,
        },
      },
    ];
  });
}

/** libpcap works on the main thread only, so there is nobody to share the work with. */
function oneWorker({ port, workers }: Values): Contradiction[] {
  if (port !== 'pcap' || typeof workers !== 'number' || workers <= 1) return [];
  return [
    {
      path: ['workers'],
      text: {
        en: `"port: pcap" has one worker only, not ${workers}; remove "workers", or use "port: packet"`,
        ja: `「port: pcap」で使えるワーカーは1つだけです(現在の値: ${workers})。「workers」を削除するか、「port: packet」を指定してください`,
      },
    },
  ];
}

/** All contradictions of a file's values. `managementDefault`: the management port's name when none is given. */
export function contradictions(values: unknown, managementDefault: string): Contradiction[] {
  const file = record(values);
  return [
    ...interfaces(file, managementDefault),
    ...oneWorker(file),
    ...addressesOnce(file),
    ...routes(file),
    ...exceptions(file),
  ];
}
