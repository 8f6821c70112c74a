import { once } from 'node:events';
import { expect } from 'chai';
import type { Demo } from '../../demo/frameworks/demo';
import type { WebSocket } from '../../lib/webSocketHandler';
import { type Address, Visitor } from './visitor';

/** An example that runs, and how it is spoken to. */
export type Running = Demo & Address;

/** The part of the contract that a framework has something for. What is not named, each example must have. */
export interface Peculiarities {
  /** The answer to an ordinary request for a WebSocket route. Default 426; over HTTP/2, which has no upgrades, 400. */
  readonly ordinary?: number;
  /** Whether the example is started once for all specs: one in a process of its own takes long. Default false. */
  readonly startsOnce?: boolean;
}

/** The routes that the examples in demo/frameworks/ have, and what is expected of a WebSocket on them. */
export function itKeepsTheContract(start: () => Promise<Running>, peculiarities: Peculiarities = {}): void {
  const { startsOnce = false } = peculiarities;
  let demo: Running;
  let visitor: Visitor;

  (startsOnce ? before : beforeEach)(async function () {
    if (startsOnce) this.timeout(120_000);
    demo = await start();
  });
  // One without cookies.
  beforeEach(() => {
    visitor = new Visitor(demo);
  });
  (startsOnce ? after : afterEach)(async () => await demo?.close());

  it('answers ordinary requests as before', async () => {
    expect(await visitor.ask('GET', '/')).to.include({ status: 200, body: 'hello' });
  });

  itKnowsWhoHasLoggedIn(() => visitor, '/login');

  it('accepts a WebSocket in a mounted part of the application', async () => {
    const ws = visitor.open('/api/echo');
    ws.write('hello');
    expect(await nextMessage(ws)).to.equal('hello');
    ws.end();
    expect(await ws.whenClosed()).to.include({ code: 1000, wasClean: true });
  });

  it('answers a WebSocket request for a route that it does not have with its own 404', async () => {
    expect(await visitor.refusal('/nowhere')).to.include({ statusCode: 404 });
  });

  it('tells an ordinary request for a WebSocket route what is wanted', async () => {
    const { ordinary = 426 } = peculiarities;
    expect(await visitor.ask('GET', '/api/echo')).to.include({ status: ordinary });
  });

  it('ends a WebSocket with 1011 whose handler fails after it has accepted', async () => {
    const ws = visitor.open('/api/broken');
    ws.write('hello');
    const [error] = await once(ws, 'error');
    expect(error).to.include({ code: 'WS_ERR_CLOSED_BY_PEER', closeCode: 1011 });
  });

  it('ends its WebSockets with 1001 when it is closed', async () => {
    const ws = visitor.open('/api/echo').resume();
    await once(ws, 'open');
    const [outcome] = await Promise.all([ws.whenClosed(), demo.close()]);
    expect(outcome).to.include({ code: 1001, wasClean: true });
  });
}

/**
 * The part of the contract that is about sessions, cookies, parameters of routes, and refusals.
 * @param login the path of an ordinary route that begins a session
 */
export function itKnowsWhoHasLoggedIn(visitorOf: () => Visitor, login: string): void {
  const logIn = async () => expect((await visitorOf().ask('POST', login)).status).to.equal(204);

  it('accepts a WebSocket after its own middleware, with route parameters and the session of the login', async () => {
    await logIn();
    const ws = visitorOf().open('/chat/lobby');
    expect(await nextMessage(ws)).to.equal('ann is in lobby');
    ws.write('and says hello');
    expect(await nextMessage(ws)).to.equal('and says hello');
    ws.end();
    expect(await ws.whenClosed()).to.include({ code: 1000, wasClean: true });
  });

  it('sends the cookies that its middleware sets with the acceptance', async () => {
    await logIn();
    const { status, headers } = await visitorOf().acceptance('/chat/lobby');
    expect(status).to.equal(visitorOf().http2 ? 200 : 101);
    expect(String(headers['set-cookie'])).to.match(/room=lobby/);
    expect(headers).not.to.have.any.keys('content-length', 'content-type', 'transfer-encoding');
  });

  it('refuses a WebSocket as it refuses every request, with 401 and JSON', async () => {
    const { statusCode, body } = await visitorOf().refusal('/chat/lobby');
    expect(statusCode).to.equal(401);
    expect(JSON.parse(String(body))).to.include({ message: 'Log in first' });
  });
}

export async function nextMessage(ws: WebSocket): Promise<unknown> {
  const [message] = await once(ws, 'message');
  return message;
}
