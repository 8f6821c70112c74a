/** A part of the library, and the specs that must notice when it is changed. */
export interface Part {
  /** Files of `lib/`, as globs. */
  readonly files: readonly string[];
  /** Spec files, as globs: those of the part itself, and those of what is made of it. */
  readonly specs: readonly string[];
}

const specsOf = (...names: readonly string[]) => names.map((name) => `spec/${name}.spec.ts`);

/** Those of WebSockets that take milliseconds: a mutant may need all of them. */
const quickWebSocketSpecs = specsOf(
  'websocket/closing',
  'websocket/core',
  'websocket/derivedStreams',
  'websocket/halfClose',
  'websocket/handshake',
  'websocket/messageSources',
  'websocket/messageStream',
  'websocket/misuse',
  'websocket/onceMessage',
  'websocket/readQueue',
  'websocket/refusedWrites',
  'websocket/selfPipe',
  'websocket/streamedMessages',
  'websocket/throwingListeners',
  'websocket/truncated',
  'websocket/unread',
  'websocket/webSocket',
  'websocket/writeAhead',
  'websocket/writeQueue',
  'pair',
);

/** The parts whose specs are measured by mutants, in the order in which they run. */
export const parts: Readonly<Record<string, Part>> = {
  codec: { files: ['lib/codec/*.ts'], specs: specsOf('codec/*') },
  versions: {
    files: ['lib/versions/*.ts'],
    specs: specsOf('versions/*', 'framing/*', 'legacyDrafts'),
  },
  extensions: { files: ['lib/extensions/*.ts'], specs: specsOf('extensions/*', 'framing/*') },
  connection: { files: ['lib/connection/*.ts'], specs: specsOf('connection/*') },
  websocket: { files: ['lib/websocket/*.ts'], specs: quickWebSocketSpecs },
  nodeStreams: { files: ['lib/nodeStreams/*.ts'], specs: [...specsOf('nodeStreams/*'), ...quickWebSocketSpecs] },
  negotiation: {
    files: ['lib/server/negotiation.ts'],
    specs: specsOf('server/negotiation', 'server/configureServer', 'hostile'),
  },
};
