import { createSecureServer } from 'node:http2';
import { expect } from 'chai';
import { createApp, start } from '../../demo/frameworks/hono';
import webSocket from '../../lib/integrations/hono';
import { createCertificate } from '../support/certificate';
import { thrownBy } from '../support/thrown';
import { itKeepsTheContract, type Running } from './contract';
import { Visitor } from './visitor';

const certificate = createCertificate();

async function startHttp2(): Promise<Running> {
  const server = createSecureServer({ ...certificate, allowHTTP1: true });
  return { ...(await start(0, server as never)), ca: certificate.cert };
}

describe('Hono', () => {
  describe('over HTTP/1.1', () => itKeepsTheContract(() => start(0)));
  describe('over HTTP/2', () => itKeepsTheContract(startHttp2));

  it('refuses a wrong option when the handler is made, before any request', () => {
    const { code, message } = thrownBy(() => webSocket(() => {}, { maxPayload: 1 } as object));
    expect(code).to.equal('WS_ERR_INVALID_ARGUMENT');
    expect(message).to.match(/unknown option maxPayload; did you mean maxMessageSize\?$/);
  });

  it('sends the header fields of middleware with the 101: those of cors(), and those that are set after the handler', async () => {
    const demo = await start(0);
    const visitor = new Visitor(demo);
    await visitor.ask('POST', '/login');
    const { headers } = await visitor.acceptance('/chat/lobby');
    expect(headers).to.include({ 'access-control-allow-credentials': 'true', 'x-user': 'ann', upgrade: 'websocket' });
    await demo.close();
  });

  it('answers a request that does not come from the server of Hono with 426', async () => {
    const response = await createApp().request('/api/echo', { headers: { Upgrade: 'websocket' } });
    expect(response.status).to.equal(426);
  });
});
