import { expect } from 'chai';
import type { Broker } from '../../../lib/topics/broker';
import { Link } from '../../../lib/topics/channel/link';
import { WebSocketError } from '../../../lib/webSocketHandler';

const away = new WebSocketError('WS_ERR_BROKER_UNAVAILABLE');
const refused = new WebSocketError('WS_ERR_BROKER_REFUSED');

describe('Link', () => {
  let link: Link;
  let events: string[];
  let closing: AbortController;
  const [one, other] = [{ name: 'one' }, { name: 'other' }];

  beforeEach(() => {
    events = [];
    closing = new AbortController();
    const owner = {
      offline: () => events.push('offline'),
      online: () => events.push('online'),
      failed: ({ message }: Error) => events.push(message),
    };
    link = new Link({} as Broker, closing.signal, owner, { initialDelay: 1, maxDelay: 1 }, 1);
  });

  it('is offline from the first failure until all that have failed have succeeded', () => {
    link.failed(one, away);
    link.failed(other, away);
    link.failed(one, away);
    link.worked(one);
    expect([link.online, ...events]).to.deep.equal([false, 'offline']);
    link.worked(other);
    expect([link.online, ...events]).to.deep.equal([true, 'offline', 'online']);
  });

  it('waits for none that has left, if another has succeeded since the last failure', () => {
    link.failed(one, away);
    link.failed(other, away);
    link.worked(one);
    link.left(other);
    expect([link.online, ...events]).to.deep.equal([true, 'offline', 'online']);
  });

  it('stays offline when all that have failed have left, until anything succeeds', () => {
    link.failed(one, away);
    link.worked(other);
    link.failed(one, away);
    link.left(one);
    expect([link.online, ...events]).to.deep.equal([false, 'offline']);
    link.worked(other);
    expect([link.online, ...events]).to.deep.equal([true, 'offline', 'online']);
  });

  it('tells of failures that time will not mend, each time', () => {
    for (let i = 0; i < 2; i++) link.failed(one, refused);
    expect(events).to.deep.equal(['offline', refused.message, refused.message]);
  });

  it('tells nothing any more when the topics are closed', () => {
    link.failed(one, away);
    closing.abort();
    link.failed(other, refused);
    link.worked(one);
    link.worked(other);
    expect([link.online, ...events]).to.deep.equal([false, 'offline']);
  });
});
