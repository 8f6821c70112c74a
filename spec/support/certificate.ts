/** A key and a certificate for localhost that only these specs trust. */
export { createCertificate } from '../../demo/certificate';
