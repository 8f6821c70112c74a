import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { Connection } from '../../lib/connection/connection';
import type { ConnectionOwner } from '../../lib/connection/connectionOwner';
import type { Message, MessagePart, Transport } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { type ConnectionOptions, type ConnectionSettings, settingsFor } from '../../lib/options';
import { rfc6455 } from '../../lib/versions/rfc6455';
import { FakeByteStream } from '../support/fakeByteStream';
import { ownHeartbeat } from '../support/mockedTime';
import { rawFrame } from '../support/rawPeer';
import { rejectionOf } from '../support/rejection';
import { VirtualTime } from '../support/virtualTime';

/** Notes what is reported. It has enough after the message `enoughAfter`. */
class FakeOwner implements ConnectionOwner {
  readonly events: unknown[] = [];
  readonly failures: WebSocketError[] = [];
  enoughAfter: unknown;
  onReceived: () => void = () => {};
  onClosed: () => void = () => {};
  readonly settings: ConnectionSettings;

  constructor(settings: ConnectionSettings) {
    this.settings = settings;
  }

  received(message: Message | MessagePart): boolean {
    this.events.push(message);
    this.onReceived();
    return message !== this.enoughAfter;
  }
  receivedPing(payload: Buffer): void {
    this.events.push(`ping ${payload}`);
  }
  receivedPong(payload: Buffer): void {
    this.events.push(`pong ${payload}`);
  }
  peerClosed(): void {
    this.events.push('peerClosed');
  }
  answerOverdue(isAnswered: boolean): void {
    this.events.push(isAnswered ? 'answered for the program' : 'not answered');
  }
  failed(fault: WebSocketError): boolean {
    this.events.push(`failed with ${fault.code}`);
    this.failures.push(fault);
    return false;
  }
  writeFailed({ code }: WebSocketError): void {
    this.events.push(`writeFailed with ${code}`);
  }
  drained(): void {
    this.events.push('drained');
  }
  disconnected(): void {
    this.events.push('disconnected');
  }
  closed(): void {
    this.events.push('closed');
    this.onClosed();
  }
}

/** First bytes of frames. */
const [text, firstFragment, close, ping, pong] = [0x81, 0x01, 0x88, 0x89, 0x8a];

const none = Buffer.alloc(0);

describe('Connection', () => {
  let stream: FakeByteStream;
  let owner: FakeOwner;
  let connection: Connection;

  const make = (options: ConnectionOptions = {}, transport: Partial<Transport> = {}) => {
    stream = new FakeByteStream();
    const agreement = { version: '13', extensions: '' } as const;
    owner = new FakeOwner(settingsFor({ heartbeat: false, ...options }, 'server', agreement, rfc6455.capabilities));
    connection = new Connection({ stream, head: none, ...transport }, owner);
  };

  beforeEach(() => make());
  afterEach(() => void stream.destroy());

  /** The connection receives frames of a client in one chunk. */
  const receive = (...frames: readonly (readonly [first: number, payload: string])[]) => {
    stream.push(Buffer.concat(frames.map(([first, payload]) => rawFrame(first, Buffer.from(payload), 'client'))));
    return turn();
  };

  const fill = () => {
    connection.outlet.offer('12345678');
    return turn();
  };

  describe('ping()', () => {
    it('sends a ping, and resolves with the round-trip time when its pong is received', async () => {
      const roundTrip = connection.ping(Buffer.from('a'));
      await turn();
      expect(stream.written).to.equal('890161');
      await receive([pong, 'a']);
      expect(await roundTrip).to.be.at.least(0);
      expect(owner.events).to.deep.equal(['pong a']);
    });

    it('makes another payload for each ping, if the program gives none', async () => {
      void connection.ping(undefined);
      void connection.ping(undefined);
      await turn();
      expect(stream.written).to.match(/^8904(.{8})8904(?!\1).{8}$/);
    });

    it('rejects with WS_ERR_NOT_OPEN and sends nothing after our Close frame', async () => {
      connection.close(1000, '');
      const roundTrip = connection.ping(undefined);
      await turn();
      expect(stream.written).to.equal('880203e8');
      expect((await rejectionOf(roundTrip)).code).to.equal('WS_ERR_NOT_OPEN');
    });
  });

  it('pong(): sends a pong and returns true; returns false and sends nothing after our Close frame', async () => {
    expect(connection.pong(Buffer.from('a'))).to.equal(true);
    connection.close(1000, '');
    expect(connection.pong(Buffer.from('b'))).to.equal(false);
    await turn();
    expect(stream.written).to.equal('8a0161880203e8');
  });

  describe('when a ping is received', () => {
    it('answers the latest ping when the byte stream has drained (RFC 6455 §5.5.3)', async () => {
      await fill();
      await receive([ping, '1'], [ping, '2']);
      await stream.letLeave();
      await stream.letLeave();
      expect(stream.written).to.match(/^8108.{16}8a0132$/);
      expect(owner.events).to.deep.equal(['ping 1', 'ping 2', 'drained']);
    });

    it('sends no pong after our Close frame', async () => {
      await fill();
      await receive([ping, '1']);
      connection.close(1000, '');
      for (let i = 0; i < 3; i++) await stream.letLeave();
      expect(stream.written).to.match(/^8108.{16}880203e8$/);
    });
  });

  it('tells the owner when a full byte stream has drained, and sends nothing by itself', async () => {
    await fill();
    expect(connection.outlet.isFull).to.equal(true);
    await stream.letLeave();
    await stream.letLeave();
    expect(owner.events).to.deep.equal(['drained']);
    expect(stream.written).to.match(/^8108.{16}$/);
  });

  it('tells the owner when the byte stream has closed; nothing can be sent then', async () => {
    stream.destroy();
    await turn();
    expect(owner.events).to.include.members(['disconnected', 'closed']);
    expect([connection.isOpen, connection.pong(none)]).to.deep.equal([false, false]);
    expect((await rejectionOf(connection.ping(undefined))).code).to.equal('WS_ERR_NOT_OPEN');
  });

  it('isAwaited: after the Close frame of the peer, until ours is sent', async () => {
    expect(connection.isAwaited).to.equal(false);
    await receive([close, '']);
    expect([connection.isAwaited, owner.events]).to.deep.equal([true, ['peerClosed']]);
    expect(connection.outcome).to.deep.equal({ code: 1005, reason: '', wasClean: false });
    connection.close(1000, '');
    expect(connection.isAwaited).to.equal(false);
  });

  it('wasCutOff: whether the byte stream closed after both Close frames, but before all messages were sent', async () => {
    for (const isSent of [false, true]) {
      make();
      await fill();
      await receive([close, '']);
      connection.close(1000, '');
      expect(connection.wasCutOff).to.equal(false);
      if (isSent) for (let i = 0; i < 2; i++) await stream.letLeave();
      stream.destroy();
      await turn();
      expect(connection.wasCutOff).to.equal(!isSent);
    }
  });

  it('delivers a message in parts, with the option messages: stream', async () => {
    make({ messages: 'stream' });
    await receive([firstFragment, 'abc']);
    const [part] = owner.events as [MessagePart];
    expect([owner.events.length, part.opcode, String(part.payload)]).to.deep.equal([1, 'part', 'abc']);
  });

  it('partialSize: the bytes that are kept of a message that has been received in part', async () => {
    expect(connection.partialSize).to.equal(0);
    await receive([firstFragment, 'abc']);
    expect(connection.partialSize).to.equal(3);
  });

  it("suspendReading(): delivers nothing until resumeReading(), which delivers in the context of the program's handler", async () => {
    const requests = new AsyncLocalStorage<string>();
    requests.run('a request', () => make());
    const contexts: unknown[] = [];
    owner.onReceived = () => {
      contexts.push(requests.getStore());
      if (owner.events.length === 1) connection.suspendReading();
    };
    await receive([text, 'a'], [text, 'b']);
    expect(owner.events).to.deep.equal(['a']);
    requests.run('another', () => connection.resumeReading());
    expect([owner.events, contexts]).to.deep.equal([
      ['a', 'b'],
      ['a request', 'a request'],
    ]);
  });

  it('sendingFailed(): reports an accepted message that cannot be encoded', () => {
    connection.sendingFailed(new WebSocketError('WS_ERR_UNSUPPORTED'));
    expect(owner.events).to.deep.equal(['writeFailed with WS_ERR_UNSUPPORTED']);
  });

  it('fails with WS_ERR_CONNECTION_LOST when the peer ends its byte stream without a Close frame', async () => {
    stream.push(null);
    await turn();
    expect(owner.events[0]).to.equal('failed with WS_ERR_CONNECTION_LOST');
    expect(connection.outcome).to.deep.equal({ code: 1006, reason: '', wasClean: false });
  });

  it('leave(): sends the close code, delivers no more messages, and rejects pending pings with the cause', async () => {
    const roundTrip = connection.ping(none);
    owner.enoughAfter = 'a';
    await receive([text, 'a'], [text, 'b']);
    const cause = new Error('the program has failed');
    connection.leave(1011, cause);
    connection.readOn();
    const { code, cause: reported } = await rejectionOf(roundTrip);
    expect([code, reported]).to.deep.equal(['WS_ERR_NOT_OPEN', cause]);
    await stream.letLeave();
    expect([stream.written, owner.events]).to.deep.equal(['8900880203f3', ['a']]);
  });

  it('abort(): resets the byte stream without a Close frame, sends nothing more, and rejects pending pings', async () => {
    const roundTrip = connection.ping(none);
    await turn();
    connection.abort();
    expect([stream.destroyed, connection.isOpen, connection.pong(none)]).to.deep.equal([true, false, false]);
    expect((await rejectionOf(roundTrip)).code).to.equal('WS_ERR_NOT_OPEN');
    expect(stream.written).to.equal('8900');
  });

  it('abort(): delivers no more messages, also if a callback of a message reads on while the byte stream closes', async () => {
    make({}, { reset: () => void stream.emit('close') });
    owner.enoughAfter = 'a';
    await receive([text, 'a'], [text, 'b']);
    connection.outlet.offer('unsent', () => connection.readOn());
    connection.abort();
    expect(owner.events).to.deep.equal(['a', 'disconnected', 'closed']);
  });

  it('outcome, wasCutOff: are undefined and false while the connection is open', () => {
    expect([connection.outcome, connection.wasCutOff]).to.deep.equal([undefined, false]);
  });

  it('outcome: is known in closed(), also if the byte stream closes while it is reset', async () => {
    make({}, { reset: () => void stream.emit('close') });
    owner.enoughAfter = 'a';
    await receive([text, 'a'], [text, 'b']);
    const outcomes: unknown[] = [];
    owner.onClosed = () => outcomes.push(connection.outcome);
    connection.peerLost();
    expect(outcomes).to.deep.equal([{ code: 1006, reason: '', wasClean: false }]);
  });

  describe('as time passes', () => {
    let time: VirtualTime;
    beforeEach(() => {
      time = new VirtualTime();
      time.start();
    });
    afterEach(() => time[Symbol.dispose]());

    const pass = (milliseconds: number) => time.pass(milliseconds, 100);

    it('pings a silent peer, and sends unsolicited pongs instead while reading is paused', async () => {
      make({ heartbeat: ownHeartbeat({ interval: 1000, timeout: 1000 }) });
      await pass(1000);
      expect(stream.written).to.equal('8900');
      await stream.letLeave();
      owner.enoughAfter = 'a';
      await receive([text, 'a'], [text, 'b']);
      await pass(600);
      expect(stream.written).to.equal('89008a00');
    });

    it('resets the byte stream if bytes wait and none is sent for sendTimeout, and fails with WS_ERR_SEND_TIMEOUT', async () => {
      make({ sendTimeout: 1000 });
      await fill();
      await pass(900);
      expect(owner.events).to.deep.equal([]);
      await pass(200);
      expect([owner.events[0], stream.destroyed]).to.deep.equal(['failed with WS_ERR_SEND_TIMEOUT', true]);
      expect(owner.failures[0]?.message).to.include('sendTimeout').and.to.include('1000');
    });

    it('fails with WS_ERR_CLOSE_TIMEOUT if the program has ended, bytes wait, and none is sent for closeTimeout', async () => {
      make({ closeTimeout: 1000 }, { largestWrite: 8 });
      connection.outlet.offer('x'.repeat(30));
      connection.programEnded();
      for (let i = 0; i < 2; i++) {
        await pass(900);
        await stream.letLeave();
      }
      await pass(900);
      expect(owner.events).to.deep.equal([]);
      await pass(200);
      expect(owner.events[0]).to.equal('failed with WS_ERR_CLOSE_TIMEOUT');
    });
  });
});
