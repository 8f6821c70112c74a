/** A part of the library, and the specs that must notice when it is changed. */
export interface Part {
  /** Files of `lib/`, as globs. */
  readonly files: readonly string[];
  /** Spec files, as globs: those of the part itself, and those of what is made of it. */
  readonly specs: readonly string[];
}

const specsOf = (...names: readonly string[]) => names.map((name) => `spec/${name}.spec.ts`);

/** The parts whose specs are measured by mutants, in the order in which they run. */
export const parts: Readonly<Record<string, Part>> = {
  codec: { files: ['lib/codec/*.ts'], specs: specsOf('codec/*') },
  versions: {
    files: ['lib/versions/*.ts'],
    specs: specsOf('versions/*', 'framing/*', 'extensions/permessageDeflate', 'legacyDrafts', 'everyVersion'),
  },
  extensions: { files: ['lib/extensions/*.ts'], specs: specsOf('extensions/*', 'framing/*') },
  connection: { files: ['lib/connection/*.ts'], specs: specsOf('connection/*') },
  websocket: { files: ['lib/websocket/*.ts'], specs: specsOf('websocket/*', 'pair') },
  nodeStreams: { files: ['lib/nodeStreams/*.ts'], specs: specsOf('nodeStreams/*', 'websocket/*') },
  negotiation: {
    files: ['lib/server/negotiation.ts'],
    specs: specsOf('server/negotiation', 'server/configureServer', 'hostile'),
  },
};
