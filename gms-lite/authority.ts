/**
 * The GMS's own secrets: the signing root that tokens pin, the X25519 key that bundles are sealed with, the TLS leaf.
 * They live sealed in the store and as key objects here; nothing else in the process sees their bytes.
 */
import 'reflect-metadata';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  X509Certificate as NodeCertificate,
  webcrypto,
} from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { AtRest } from '#gms/at-rest.ts';
import { contentToSign, envelope, joinContent, joinSigned } from '#gms/bundle.ts';
import type { Endpoint } from '#gms/endpoint.ts';
import { bundleKeyContext, toText } from '#gms/enrolment.ts';
import { exchangeRaw, generateRaw, rawPublic, secretObject, signWith } from '#gms/raw-keys.ts';
import { encodeStatementBody, joinStatement, statementToSign } from '#wire/statement.ts';
import type { BundleContent } from './rules/content.ts';
import { materialRecord } from './rules/keys.ts';
import type { Element } from './store/records.ts';
import type { Reader, Writer } from './store/store.ts';

const DAY_MS = 86_400_000;
const ROOT_DAYS = 30 * 365;
const LEAF_DAYS = 365;
/** A leaf this close to its end is made anew. */
const LEAF_RENEWAL_DAYS = 60;
/** Certificates begin a day early: clocks differ. */
const BACKDATE_MS = DAY_MS;

const record = {
  rootKey: 'root key',
  rootCertificate: 'root certificate',
  staticKey: 'static key',
  leafKey: 'leaf key',
  leafCertificate: 'leaf certificate',
} as const;
type SecretName = (typeof record)[keyof typeof record];

/** What the TLS server needs, PEM. */
export interface Leaf {
  readonly key: string | Buffer;
  /** Leaf, then root. */
  readonly cert: string;
}

/** Root, static key and their records; a leaf comes later. */
export async function createAuthority(rest: AtRest, now: number): Promise<(tx: Writer) => void> {
  const root = generateRaw('ed25519');
  const keys = await webRoot(secretObject('ed25519', root.secret));
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=GSCIP GMS root',
    keys,
    signingAlgorithm: 'Ed25519',
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + ROOT_DAYS * DAY_MS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature, true),
    ],
  });
  const { secret } = generateRaw('x25519');
  const sealed: [SecretName, Uint8Array][] = [
    [record.rootKey, rest.seal(record.rootKey, root.secret)],
    [record.rootCertificate, rest.seal(record.rootCertificate, new Uint8Array(certificate.rawData))],
    [record.staticKey, rest.seal(record.staticKey, secret)],
  ];
  root.secret.fill(0);
  secret.fill(0);
  return (tx) => {
    for (const [name, bytes] of sealed) tx.put('secret', name, { sealed: bytes });
  };
}

/** The signing root as WebCrypto, which the certificate library signs with. */
async function webRoot(key: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const der = key.export({ format: 'der', type: 'pkcs8' });
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, 'Ed25519', false, ['sign']);
  der.fill(0);
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const publicKey = await webcrypto.subtle.importKey('spki', spki, 'Ed25519', true, ['verify']);
  return { privateKey, publicKey };
}

export class Authority {
  readonly #rest: AtRest;
  readonly #root: KeyObject;
  readonly #static: KeyObject;
  readonly #certificate: X509Certificate;
  /** SHA-256 of the root's SubjectPublicKeyInfo: what tokens pin. */
  readonly fingerprint: Uint8Array;
  /** X25519 public key. */
  readonly staticKey: Uint8Array;

  /** @throws GmsError store-unreadable when master key and store do not belong together. */
  constructor(store: Reader, rest: AtRest) {
    this.#rest = rest;
    this.#root = this.#secretKey(store, 'ed25519', record.rootKey);
    this.#static = this.#secretKey(store, 'x25519', record.staticKey);
    this.#certificate = new X509Certificate(this.#open(store, record.rootCertificate));
    this.staticKey = rawPublic(createPublicKey(this.#static));
    const spki = createPublicKey(this.#root).export({ format: 'der', type: 'spki' });
    this.fingerprint = new Uint8Array(createHash('sha256').update(spki).digest());
  }

  #open(store: Reader, name: SecretName): Uint8Array {
    return this.#rest.open(name, store.get('secret', name)!.sealed);
  }

  #secretKey(store: Reader, curve: 'ed25519' | 'x25519', name: SecretName): KeyObject {
    const secret = this.#open(store, name);
    const key = secretObject(curve, secret);
    secret.fill(0);
    return key;
  }

  /** The TLS leaf for these addresses: the stored one, or a new one when it is missing, old or for other addresses. */
  async leaf(
    store: Reader,
    endpoints: readonly Endpoint[],
    now: number,
  ): Promise<{ leaf: Leaf; fresh?: (tx: Writer) => void }> {
    const addresses = [...new Set(endpoints.map((endpoint) => endpoint.address))];
    if (store.get('secret', record.leafCertificate) !== undefined) {
      const der = this.#open(store, record.leafCertificate);
      const held = new NodeCertificate(der);
      const lasts = held.validToDate.getTime() - now > LEAF_RENEWAL_DAYS * DAY_MS;
      if (lasts && addresses.every((address) => held.checkIP(address) !== undefined)) {
        return { leaf: this.#pem(this.#open(store, record.leafKey), der) };
      }
    }
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
    const root = await webRoot(this.#root);
    const certificate = await X509CertificateGenerator.create({
      subject: 'CN=GSCIP GMS',
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: root.privateKey,
      signingAlgorithm: 'Ed25519',
      notBefore: new Date(now - BACKDATE_MS),
      notAfter: new Date(now + LEAF_DAYS * DAY_MS),
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension(addresses.map((value) => ({ type: 'ip', value }))),
      ],
    });
    const key = new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    const der = new Uint8Array(certificate.rawData);
    const sealedKey = this.#rest.seal(record.leafKey, key);
    const sealedCertificate = this.#rest.seal(record.leafCertificate, der);
    return {
      leaf: this.#pem(key, der),
      fresh: (tx) => {
        tx.put('secret', record.leafKey, { sealed: sealedKey });
        tx.put('secret', record.leafCertificate, { sealed: sealedCertificate });
      },
    };
  }

  #pem(key: Uint8Array, certificate: Uint8Array): Leaf {
    const chain = [PemConverter.encode(certificate, 'CERTIFICATE'), this.#certificate.toString('pem')];
    const der = Buffer.from(key);
    const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' });
    der.fill(0);
    key.fill(0);
    return { key: pem, cert: chain.join('\n') };
  }

  /** The bundle of one GE as it is delivered now; `now` is ms since 1970. */
  bundle({ metadata, keys }: BundleContent, element: Element, now: number): Uint8Array {
    const body = encodeStatementBody({
      mode: element.mode,
      kind: element.kind,
      geId: Buffer.from(element.id, 'hex'),
      staticKey: element.staticKey,
      notAfter: element.statementNotAfter,
      groups: metadata.groups.map((group) => group.number),
    });
    const statement = joinStatement(body, signWith(this.#root, statementToSign(body)));
    const materials = keys.map((key) => this.#rest.open(materialRecord(key.group, key.version), key.material));
    const content = joinContent({ ...metadata, statement: toText(statement) }, materials);
    const signed = contentToSign(content);
    const plaintext = joinSigned(now, content, signWith(this.#root, signed));
    const shared = exchangeRaw(this.#static, element.staticKey);
    const { salt, info } = bundleKeyContext(element.id, element.staticKey, this.staticKey);
    const key = new Uint8Array(hkdfSync('sha256', shared, salt, info, 32));
    const delivered = envelope(plaintext, (nonce, aad, data) => xchacha20poly1305(key, nonce, aad).encrypt(data));
    for (const secret of [...materials, content, signed, plaintext, shared, key]) secret.fill(0);
    return delivered;
  }
}
