import { createSecureServer } from 'node:http2';
import { expect } from 'chai';
import { start } from '../../demo/frameworks/koa';
import webSocket from '../../lib/integrations/koa';
import { createCertificate } from '../support/certificate';
import { thrownBy } from '../support/thrown';
import { itKeepsTheContract, type Running } from './contract';
import { Visitor } from './visitor';

const certificate = createCertificate();

async function startHttp2(): Promise<Running> {
  const server = createSecureServer({ ...certificate, allowHTTP1: true });
  return { ...(await start(0, server as never)), ca: certificate.cert };
}

describe('Koa', () => {
  describe('over HTTP/1.1', () => itKeepsTheContract(() => start(0)));
  describe('over HTTP/2', () => itKeepsTheContract(startHttp2));

  it('refuses a wrong option when the handler is made, before any request', () => {
    const { code, message } = thrownBy(() => webSocket(() => {}, { maxPayload: 1 } as object));
    expect(code).to.equal('WS_ERR_INVALID_ARGUMENT');
    expect(message).to.match(/unknown option maxPayload; did you mean maxMessageSize\?$/);
  });

  it('sends the session that was changed for the WebSocket with the 101', async () => {
    const demo = await start(0);
    const visitor = new Visitor(demo);
    await visitor.ask('POST', '/login');
    const { headers } = await visitor.acceptance('/chat/lobby');
    expect(sessionOf(headers['set-cookie'])).to.include({ user: 'ann', rooms: 1 });
    await demo.close();
  });
});

/** koa-session keeps the session in its cookie. */
function sessionOf(cookies: readonly string[] = []): unknown {
  const value = cookies.map((cookie) => /^koa\.sess=([^;]+)/.exec(cookie)?.[1]).find((each) => each !== undefined);
  return JSON.parse(Buffer.from(String(value), 'base64').toString());
}
