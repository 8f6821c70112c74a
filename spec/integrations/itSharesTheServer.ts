import { once } from 'node:events';
import { expect } from 'chai';
import type { Demo } from '../../demo/frameworks/demo';
import { connect } from '../../lib/webSocketHandler';
import { itKnowsWhoHasLoggedIn, nextMessage } from './contract';
import { startInOwnProcess } from './inOwnProcess';
import { Visitor } from './visitor';

/** What a tool opens itself, to reload a page. */
export interface Own {
  readonly path: string;
  readonly protocols?: readonly string[];
  /** Whether it takes only those whose origin is its own. Vite asks a page for a token as well. */
  readonly sameOrigin?: boolean;
  /** What is expected in its first message. */
  readonly says: RegExp;
  /** The path of the route that begins a session. Default `/login`. */
  readonly login?: string;
  /** The name of the package to start the example with. Default: the one that it imports. */
  readonly framework?: string;
}

/**
 * Specs of a server for development, which has WebSockets of its own.
 * @param name the name of the file of the example
 */
export function itSharesTheServer(
  name: string,
  { path, protocols = [], sameOrigin = false, says, login = '/login', framework }: Own,
): void {
  let demo: Demo;
  let visitor: Visitor;

  before(async function () {
    this.timeout(120_000);
    demo = await startInOwnProcess(name, framework);
  });
  // One without cookies.
  beforeEach(() => {
    visitor = new Visitor(demo);
  });
  after(async () => await demo?.close());

  it('serves its page', async function () {
    // Some compile it now.
    this.timeout(120_000);
    expect(await visitor.ask('GET', '/')).to.include({ status: 200 });
  });

  it('accepts the WebSockets of the application', async () => {
    const ws = visitor.open('/echo');
    ws.write('hello');
    expect(await nextMessage(ws)).to.equal('hello');
    ws.end();
    expect(await ws.whenClosed()).to.include({ code: 1000, wasClean: true });
  });

  itKnowsWhoHasLoggedIn(() => visitor, login);

  it('has its own WebSockets beside them', async () => {
    const origin = sameOrigin ? { origin: `http://localhost:${demo.port}` } : {};
    const ws = connect(`ws://localhost:${demo.port}${path}`, { protocols, ...origin });
    expect(String(await nextMessage(ws))).to.match(says);
    ws.end();
    await ws.whenClosed();
  });

  it('ends the WebSockets of the application with 1001 when it is closed', async () => {
    const ws = visitor.open('/echo').resume();
    await once(ws, 'open');
    const [outcome] = await Promise.all([ws.whenClosed(), demo.close()]);
    expect(outcome).to.include({ code: 1001, wasClean: true });
  });
}
