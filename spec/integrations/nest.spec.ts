import { createExpressApp, createFastifyApp, start } from '../../demo/frameworks/nest';
import { createCertificate } from '../support/certificate';
import { itKeepsTheContract, type Running } from './contract';

const certificate = createCertificate();

async function startHttp2(): Promise<Running> {
  const app = await createFastifyApp({ http2: true, https: { ...certificate, allowHTTP1: true } });
  return { ...(await start(app, 0)), ca: certificate.cert };
}

describe('NestJS', () => {
  describe('on Express', () => itKeepsTheContract(async () => await start(await createExpressApp(), 0)));
  describe('on Fastify', () => itKeepsTheContract(async () => await start(await createFastifyApp(), 0)));
  describe('on Fastify, over HTTP/2', () => itKeepsTheContract(startHttp2));
});
