/** The GMS's part in simulations: signs statements, and gives every version of every key the same bytes everywhere. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { GeId, Identity, KeyHandle, Kind, Mode, TransformName } from '#dprp/spec.ts';
import type { createNobleProvider } from '#transform/providers/noble.ts';
import { TRANSFORMS } from '#wire/ge-info.ts';
import { encodeStatementBody, joinStatement, statementToSign } from '#wire/statement.ts';

export const GE_A = 'a000000000000001' as GeId;
export const GE_B = 'b000000000000002' as GeId;
export const GE_C = 'c000000000000003' as GeId;

export interface Group {
  readonly number: number;
  readonly versions: readonly number[];
  readonly transform?: TransformName;
}

export interface GeSettings {
  readonly ge: GeId;
  readonly mode?: Mode;
  readonly kind?: Kind;
  readonly groups?: readonly Group[];
  /** What the statement names; by default the numbers of `groups`. */
  readonly named?: readonly number[];
  readonly transforms?: readonly TransformName[];
  readonly domainVersions?: readonly number[];
  readonly notAfter?: number;
  readonly revoked?: Identity['revoked'];
  readonly forged?: boolean;
}

export const GMS_TIME = 1_800_000_000;

/** Signs statements, and gives every version of every key the same bytes everywhere. */
export class Gms {
  readonly #pair = generateKeyPairSync('ed25519');
  readonly #stranger = generateKeyPairSync('ed25519');
  readonly #keys = new Map<string, Uint8Array>();

  get signingKey(): Uint8Array {
    return Uint8Array.from(this.#pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  }

  key(name: string): Uint8Array {
    const known = this.#keys.get(name) ?? Uint8Array.from(randomBytes(32));
    this.#keys.set(name, known);
    return Uint8Array.from(known);
  }

  identity(provider: Provider, settings: GeSettings): Identity {
    const { ge, mode = 'open', kind = 'bridge', groups = [], domainVersions = [1] } = settings;
    const staticSecret = provider.importKey(this.key(`static ${ge}`)) as KeyHandle;
    const body = encodeStatementBody({
      mode,
      kind,
      geId: Uint8Array.from(Buffer.from(ge, 'hex')),
      staticKey: provider.publicKey(staticSecret as never),
      notAfter: settings.notAfter ?? GMS_TIME + 86_400,
      groups: [...(settings.named ?? groups.map((g) => g.number))].sort((x, y) => x - y),
    });
    const signer: KeyObject = settings.forged ? this.#stranger.privateKey : this.#pair.privateKey;
    return {
      ge,
      mode,
      kind,
      statement: joinStatement(body, sign(null, statementToSign(body), signer)),
      staticSecret,
      signingKey: this.signingKey,
      gmsTime: (now) => GMS_TIME + Math.floor(now / 1_000),
      domainKeys: domainVersions.map((version) => ({
        version,
        key: provider.importKey(this.key(`domain ${version}`)) as KeyHandle,
      })),
      groupKeys: groups.flatMap((g) =>
        g.versions.map((version) => ({
          group: g.number,
          version,
          transform: g.transform ?? 'sealed',
          key: provider.importKey(this.key(`group ${g.number} ${version}`)) as KeyHandle,
        })),
      ),
      transforms: settings.transforms ?? TRANSFORMS,
      revoked: settings.revoked ?? [],
    };
  }
}

export type Provider = ReturnType<typeof createNobleProvider>;
