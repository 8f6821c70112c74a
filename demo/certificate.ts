import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const tags = {
  integer: 0x02,
  bits: 0x03,
  bytes: 0x04,
  identifier: 0x06,
  text: 0x0c,
  time: 0x17,
  boolean: 0x01,
  sequence: 0x30,
  set: 0x31,
  dnsName: 0x82,
  address: 0x87,
  version: 0xa0,
  extensions: 0xa3,
} as const;

/** Encodes one element of a certificate (DER) with up to 65,535 bytes. */
function element(tag: keyof typeof tags, ...parts: readonly Uint8Array[]): Buffer {
  const { length } = Buffer.concat(parts);
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tags[tag], ...size), ...parts]);
}

const identifiers = {
  commonName: element('identifier', Buffer.from('550403', 'hex')),
  basicConstraints: element('identifier', Buffer.from('551d13', 'hex')),
  subjectAltName: element('identifier', Buffer.from('551d11', 'hex')),
  ecdsaWithSha256: element('identifier', Buffer.from('2a8648ce3d040302', 'hex')),
};

function time(date: Date): Buffer {
  // A UTCTime: 2026-11-25T20:00:00.000Z becomes 261125200000Z.
  return element('time', Buffer.from(`${date.toISOString().replace(/\D/g, '').slice(2, 14)}Z`));
}

function nameOf(commonName: string): Buffer {
  return element(
    'sequence',
    element('set', element('sequence', identifiers.commonName, element('text', Buffer.from(commonName)))),
  );
}

const names = element(
  'sequence',
  element('dnsName', Buffer.from('localhost')),
  element('address', Buffer.of(127, 0, 0, 1)),
  element('address', Buffer.alloc(16).fill(1, 15)),
);
/** Of a certificate for localhost. */
const forLocalhost = element('sequence', identifiers.subjectAltName, element('bytes', names));

const yes = element('boolean', Buffer.of(0xff));
/** Of a certificate that may sign others. It is critical: who does not know the extension must not accept the certificate. */
const forAuthority = element('sequence', identifiers.basicConstraints, yes, element('bytes', element('sequence', yes)));

export interface CertificateOptions {
  /** Days until the certificate expires. Default 1. */
  readonly days?: number;
  /** The name of the subject. Default `localhost`. */
  readonly name?: string;
  /** Whether the certificate is for an authority, which signs others, and not for localhost. Default false. */
  readonly authority?: boolean;
  /** The name and the private key of the authority that signs the certificate. Default: it is self-signed. */
  readonly issuer?: { readonly name: string; readonly key: string };
}

/**
 * Returns a private key and a certificate, both as PEM. Browsers speak HTTP/2 over TLS only, and Node makes keys but no certificates, so
 * this function encodes one (RFC 5280 §4.1).
 */
export function createCertificate({
  days = 1,
  name = 'localhost',
  authority = false,
  issuer,
}: CertificateOptions = {}): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const now = Date.now();
  const algorithm = element('sequence', identifiers.ecdsaWithSha256);
  const content = element(
    'sequence',
    // Version 3, which is encoded as 2.
    element('version', element('integer', Buffer.of(2))),
    // The serial number. Its first byte is 1, so it is positive and has no leading zero.
    element('integer', Buffer.of(1), randomBytes(15)),
    algorithm,
    nameOf(issuer?.name ?? name),
    // Valid since an hour ago, for browsers whose clock is behind.
    element('sequence', time(new Date(now - 3_600_000)), time(new Date(now + days * 86_400_000))),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    element('extensions', element('sequence', authority ? forAuthority : forLocalhost)),
  );
  const signature = element('bits', Buffer.of(0), sign('sha256', content, issuer?.key ?? privateKey));
  const certificate = element('sequence', content, algorithm, signature).toString('base64');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.replace(/.{64}(?!$)/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  };
}
