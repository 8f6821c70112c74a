import { once } from 'node:events';
import { mock } from 'node:test';
import timers from 'node:timers';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { type Keepalive, type KeepaliveSubject, startKeepalive } from '../../lib/connection/keepalive';
import type { HeartbeatSettings } from '../../lib/options';
import { connect, createPair, type WebSocket } from '../../lib/webSocketHandler';
import { listen } from '../support/http';
import { ownHeartbeat } from '../support/mockedTime';
import { RawPeer } from '../support/rawPeer';
import { VirtualTime } from '../support/virtualTime';

/** A connection that notes when it is pinged and given up. */
class Patient implements KeepaliveSubject {
  heard = false;
  isReadingPaused = false;
  mayBeSilent = false;
  readonly pings: number[] = [];
  readonly losses: number[] = [];
  now = 0;

  hasReceived(): boolean {
    const { heard } = this;
    this.heard = false;
    return heard;
  }

  readonly signsOfLife: number[] = [];

  sendUnsolicitedPong(): void {
    this.signsOfLife.push(this.now);
  }

  sendPing(): void {
    this.pings.push(this.now);
  }

  peerLost(): void {
    this.losses.push(this.now);
  }

  /** Lets time go by, a millisecond at a time. */
  live(milliseconds: number): void {
    for (let i = 0; i < milliseconds; i++) {
      this.now++;
      mock.timers.tick(1);
    }
  }
}

const { setInterval } = timers;

describe('A heartbeat', () => {
  const started: Keepalive[] = [];

  beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
  afterEach(() => {
    for (const keepalive of started.splice(0)) keepalive.stop();
    mock.timers.reset();
    timers.setInterval = setInterval;
  });

  const start = (subject: KeepaliveSubject, settings: HeartbeatSettings) => {
    const keepalive = startKeepalive(subject, settings);
    started.push(keepalive);
    return keepalive;
  };

  for (const [interval, timeout] of [
    [30_001, 10_000],
    [1000, 1000],
    [100, 500],
    [101, 500],
    [500, 100],
    [333, 77],
    [10, 10],
    [1, 1],
  ] as const) {
    it(`reports a silent peer within interval plus timeout: ${interval} and ${timeout} ms`, () => {
      for (const phase of [0, 1, timeout / 20, timeout / 11]) {
        const patient = new Patient();
        const keepalive = start(patient, ownHeartbeat({ interval, timeout }));
        patient.live(Math.floor(phase));
        patient.heard = true;
        const lastLife = patient.now;
        patient.live(interval + timeout + 5);
        keepalive.stop();
        const [ping = Number.NaN] = patient.pings;
        const [loss = Number.NaN] = patient.losses;
        expect(loss - lastLife).to.be.at.most(Math.max(interval + timeout, 5));
        expect(ping - lastLife).to.be.at.least(Math.floor(interval * 0.7) - interval / 10);
        // Not before the peer has had all of its time for the answer.
        expect(loss - ping).to.be.at.least(timeout);
        expect(ping - lastLife)
          .to.be.at.least(interval * 0.7 - 3)
          .and.at.most(interval + 2);
      }
    });
  }

  it('pings a silent peer that answers again and again, and never reports it', () => {
    const patient = new Patient();
    patient.sendPing = () => {
      patient.pings.push(patient.now);
      patient.heard = true;
    };
    start(patient, ownHeartbeat({ interval: 100, timeout: 50 }));
    patient.live(1000);
    expect([patient.pings.length > 8, patient.losses]).to.deep.equal([true, []]);
  });

  it('does not ping a peer from which bytes are received', () => {
    const patient = new Patient();
    start(patient, ownHeartbeat({ interval: 100, timeout: 50 }));
    for (let i = 0; i < 20; i++) {
      patient.heard = true;
      patient.live(50);
    }
    expect([patient.pings, patient.losses]).to.deep.equal([[], []]);
  });

  it('does not count while the silence is excused, before the ping and after it', () => {
    const patient = new Patient();
    start(patient, ownHeartbeat({ interval: 100, timeout: 50 }));
    patient.mayBeSilent = true;
    patient.live(1000);
    expect(patient.pings).to.deep.equal([]);
    patient.mayBeSilent = false;
    patient.live(100);
    expect(patient.pings.length).to.equal(1);
    patient.mayBeSilent = true;
    patient.live(1000);
    expect(patient.losses).to.deep.equal([]);
    patient.mayBeSilent = false;
    patient.live(55);
    expect(patient.losses).not.to.deep.equal([]);
  });

  it('sends an unsolicited pong each half of the shorter time while reading is paused, and reports no lost peer', () => {
    const patient = new Patient();
    start(patient, ownHeartbeat({ interval: 200, timeout: 100 }));
    patient.live(40);
    patient.isReadingPaused = true;
    patient.live(120);
    expect(patient.signsOfLife).to.deep.equal([90, 140]);
    patient.isReadingPaused = false;
    patient.live(20);
    patient.isReadingPaused = true;
    patient.live(60);
    expect(patient.signsOfLife).to.deep.equal([90, 140, 230]);
    expect([patient.pings, patient.losses]).to.deep.equal([[], []]);
  });

  it('counts the time in which the process was blocked as one tick', () => {
    const patient = new Patient();
    // Timers that are late fire once, whatever number of times they should have.
    let beat = () => {};
    mock.timers.reset();
    timers.setInterval = ((callback: () => void) => {
      beat = callback;
      return setInterval(() => {}, 2 ** 30).unref();
    }) as typeof setInterval;
    start(patient, ownHeartbeat({ interval: 1000, timeout: 1000 }));
    for (let i = 0; i < 8; i++) beat();
    expect([patient.pings.length, patient.losses.length]).to.deep.equal([1, 0]);
    // An hour asleep.
    beat();
    expect(patient.losses).to.deep.equal([]);
  });

  it('pings after seven tenths of the interval, and reports a lost peer a tick after the timeout', () => {
    const patient = new Patient();
    start(patient, ownHeartbeat({ interval: 1000, timeout: 1000 }));
    patient.live(1850);
    expect([patient.pings, patient.losses]).to.deep.equal([[700], [1800]]);
  });

  it('needs one timer for all connections with the same settings, and none without connections', () => {
    using time = new VirtualTime();
    time.start();
    const settings = ownHeartbeat({ interval: 1000, timeout: 1000 });
    const keepalives = [1, 2, 3].map(() => start(new Patient(), settings));
    const other = start(new Patient(), ownHeartbeat({ interval: 500, timeout: 500 }));
    expect(time.delays).to.deep.equal([100, 50]);
    for (const keepalive of keepalives.splice(0, 2)) keepalive.stop();
    expect(time.delays).to.deep.equal([100, 50]);
    for (const keepalive of keepalives) keepalive.stop();
    expect(time.delays).to.deep.equal([50]);
    other.stop();
    expect(time.delays).to.deep.equal([]);
    start(new Patient(), settings).stop();
    expect(time.delays).to.deep.equal([]);
  });
});

describe('The heartbeat of a WebSocket', () => {
  let heartbeat: HeartbeatSettings;
  beforeEach(() => {
    heartbeat = ownHeartbeat({ interval: 1000, timeout: 500 });
    mock.timers.enable({ apis: ['setInterval'] });
  });
  afterEach(() => mock.timers.reset());

  /** Lets some of it go by, with turns of the event loop in which bytes travel. */
  async function pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 50) {
      mock.timers.tick(50);
      for (let i = 0; i < 5; i++) await turn();
    }
  }

  it('pings a silent peer, and accepts any bytes as an answer', async () => {
    const peer = new RawPeer('server', { heartbeat });
    const failures: Error[] = [];
    peer.webSocket.on('error', (error) => failures.push(error)).resume();
    await pass(1000);
    expect(peer.frames).to.deep.equal([{ first: 0x89, payload: Buffer.alloc(0) }]);
    // Half a frame, and no pong.
    peer.write(Buffer.of(0x81));
    await pass(800);
    expect([peer.frames.length, failures.length]).to.deep.equal([1, 0]);
    await pass(700);
    expect(failures.map((error) => 'code' in error && error.code)).to.deep.equal(['WS_ERR_HEARTBEAT_TIMEOUT']);
    expect(await peer.webSocket.whenClosed()).to.deep.equal({ code: 1006, reason: '', wasClean: false });
  });

  it('delivers the messages received before the silence, and then the error', async () => {
    const peer = new RawPeer('client', { heartbeat });
    peer.send(0x81, 'last words');
    await pass(3000);
    const messages: unknown[] = [];
    const [error] = await Promise.all([
      once(peer.webSocket, 'error').catch((cause) => [cause]),
      peer.webSocket.on('data', (message) => messages.push(message)),
    ]);
    expect([messages, error[0].code]).to.deep.equal([['last words'], 'WS_ERR_HEARTBEAT_TIMEOUT']);
  });

  it('keeps a peer that answers', async () => {
    const [server, client] = createPair({ heartbeat });
    let pongs = 0;
    server.on('pong', () => pongs++);
    client.on('pong', () => pongs++);
    await pass(10_000);
    expect([pongs > 5, server.destroyed, client.destroyed]).to.deep.equal([true, false, false]);
    client.end();
    expect((await server.whenClosed()).wasClean).to.equal(true);
  });

  it('does not end the connection while our own reading is paused', async () => {
    const peer = new RawPeer('server', { heartbeat });
    peer.webSocket.pause();
    // More than is read ahead: the byte stream stands still, and a pong could not be seen.
    for (let i = 0; i < 100; i++) peer.send(0x81, `message ${i}`);
    await pass(10_000);
    expect(peer.webSocket.destroyed).to.equal(false);
    let read = 0;
    peer.webSocket.on('data', () => read++).on('error', () => {});
    peer.webSocket.resume();
    await pass(200);
    expect(read).to.equal(100);
    // And then it goes on.
    await pass(1500);
    expect(peer.webSocket.destroyed).to.equal(true);
  });

  it('does not end the connection of a peer that reads slowly', async () => {
    const peer = new RawPeer('server', { heartbeat, reads: false });
    peer.webSocket.on('error', () => {});
    while (peer.webSocket.write('x'.repeat(10_000)));
    await pass(10_000);
    expect([peer.webSocket.destroyed, peer.webSocket.bufferedAmount > 0]).to.deep.equal([false, true]);
    peer.webSocket.abort();
  });

  it('leaves the close handshake to closeTimeout', async () => {
    const peer = new RawPeer('server', { heartbeat, closeTimeout: 60_000 });
    peer.webSocket.close(1000);
    await pass(10_000);
    expect(peer.frames.map(({ first }) => first)).to.deep.equal([0x88]);
    expect(peer.webSocket.destroyed).to.equal(false);
    peer.webSocket.abort();
  });

  it('is off with the option heartbeat: false, and in versions without pings', async () => {
    for (const [first, second] of [createPair({ heartbeat: false }), createPair({ heartbeat, version: 'draft76' })]) {
      let pings = 0;
      first.on('ping', () => pings++);
      second.on('ping', () => pings++);
      await pass(5000);
      expect([pings, first.destroyed]).to.deep.equal([0, false]);
      second.end();
      await first.whenClosed();
    }
  });

  it('is set by the option of the server, of the connection, or of the client', async () => {
    const pinged: string[] = [];
    const note = (who: string) => (ws: WebSocket) => void ws.on('ping', () => pinged.push(who));
    await using server = await listen(
      (request, response) => {
        const ws = response.webSocket?.connect(request.url === '/own' ? { heartbeat: false } : {});
        ws?.resume();
      },
      { heartbeat },
    );
    const plain = connect(`ws://127.0.0.1:${server.port}/`, { heartbeat: false });
    const own = connect(`ws://127.0.0.1:${server.port}/own`, { heartbeat: false });
    note('by the server')(plain);
    note('by the connection')(own);
    await Promise.all([once(plain, 'open'), once(own, 'open')]);
    const first = once(plain, 'ping');
    await pass(1000);
    await first;
    expect(pinged).to.deep.equal(['by the server']);
    for (const ws of [plain, own]) ws.end();
    await Promise.all([plain.whenClosed(), own.whenClosed()]);
  });
});
