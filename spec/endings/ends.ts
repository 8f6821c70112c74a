import type { AnyWebSocket } from '../../lib/webSocketHandler';
import { closeFrame, frame, type RawEnd } from './rawEnd';
import { reset, type TransportKind } from './rigs';
import { peerTexts, type Scene } from './scene';

/** A way in which a connection ends. */
export interface End {
  readonly name: string;
  /** Who ends it. The peer does so right behind its messages. */
  readonly by: 'the peer' | 'the program' | 'both';
  /** Whether only a peer made by hand does this. */
  readonly raw?: boolean;
  /** The peer sends its messages and ends the connection. */
  readonly peerEnds?: (peer: AnyWebSocket) => void;
  readonly rawPeerEnds?: (peer: RawEnd, scene: Scene) => void;
  /** The program ends the connection. What it returns must settle as well. */
  readonly ends?: (scene: Scene) => unknown;
  /** The only role that can. */
  readonly role?: 'server' | 'client';
  /** Why some transport has no such end. */
  readonly impossibleOver?: Partial<Record<TransportKind, string>>;
}

const noRawBytes = { pair: 'both ends of a pair are of the library, and so are their bytes' };

const peerCloses = (name: string, code: number): End => ({
  name: `the peer's Close ${name}`,
  by: 'the peer',
  peerEnds: (peer) => peer.close(code),
});

export const ends: readonly End[] = [
  peerCloses('1000', 1000),
  peerCloses('1001', 1001),
  {
    name: "the peer's Close without a code",
    by: 'the peer',
    raw: true,
    rawPeerEnds: (peer) => peer.sendTexts(peerTexts, closeFrame(undefined, peer.role)),
    impossibleOver: noRawBytes,
  },
  peerCloses('1011', 1011),
  peerCloses('4000', 4000),
  {
    name: "the peer's Close in the middle of a message",
    by: 'the peer',
    raw: true,
    rawPeerEnds(peer, scene) {
      peer.sendTexts(peerTexts, frame(0x01, 'half of', peer.role));
      void scene.turn().then(() => peer.write(closeFrame(1000, peer.role)));
    },
    impossibleOver: noRawBytes,
  },
  {
    name: 'FIN without Close',
    by: 'the peer',
    raw: true,
    rawPeerEnds(peer) {
      peer.sendTexts(peerTexts);
      peer.stream.end();
    },
    impossibleOver: noRawBytes,
  },
  {
    name: 'a reset',
    by: 'the peer',
    raw: true,
    rawPeerEnds(peer) {
      peer.sendTexts(peerTexts);
      setImmediate(() => reset(peer));
    },
    peerEnds: (peer) => void setImmediate(() => peer.abort()),
  },
  {
    name: 'a protocol error',
    by: 'the peer',
    raw: true,
    rawPeerEnds: (peer) => peer.sendTexts(peerTexts, frame(0x83, '', peer.role)),
    impossibleOver: noRawBytes,
  },
  {
    name: "the peer's silence",
    by: 'the peer',
    raw: true,
    rawPeerEnds: (peer) => peer.sendTexts(peerTexts),
    impossibleOver: noRawBytes,
  },
  { name: 'close(4400)', by: 'the program', ends: ({ ws }) => ws.close(4400, 'enough') },
  { name: 'end()', by: 'the program', ends: ({ ws }) => void ws.end() },
  { name: 'destroy()', by: 'the program', ends: ({ ws }) => void ws.destroy() },
  { name: 'destroy(error)', by: 'the program', ends: ({ ws, error }) => void ws.destroy(error) },
  { name: 'abort()', by: 'the program', ends: ({ ws }) => ws.abort() },
  {
    name: 'an abort signal',
    by: 'the program',
    ends: ({ abort }) => abort.abort(),
    role: 'client',
    impossibleOver: { pair: 'createPair() takes no signal' },
  },
  {
    name: 'handle.close()',
    by: 'the program',
    async ends(scene) {
      const summary = await scene.connection.handle?.close();
      if (summary?.closed === 1 && summary.dropped === 0) return;
      if (!scene.leftEarly) scene.faults.push(`handle.close() resolves with ${JSON.stringify(summary)}`);
    },
    role: 'server',
    impossibleOver: { pair: 'a pair has no server' },
  },
  {
    name: 'close(1000) of both at once',
    by: 'both',
    peerEnds: (peer) => peer.close(1000),
    ends: ({ ws }) => ws.close(1000),
  },
];
