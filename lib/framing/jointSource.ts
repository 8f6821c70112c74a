import { type DeframerNeighbour, type FramerNeighbour, JoinedDeframer, JoinedFramer } from './joined';
import type { MessageReaderSettings } from './messageReader';
import type { MessageWriterSettings } from './messageWriter';

type JointSettings = MessageReaderSettings & MessageWriterSettings;

/** How many of each are kept for the next who needs one. */
const most = 32;

/**
 * Where connections with the same settings have their Deframers and Framers from. Between two messages those hold nothing, unless
 * they compress, and most connections are silent most of the time: then they have none (a third of the memory of an idle connection).
 */
export class JointSource {
  readonly #settings: JointSettings;
  readonly #deframers: JoinedDeframer[] = [];
  readonly #framers: JoinedFramer[] = [];

  constructor(settings: JointSettings) {
    this.#settings = settings;
  }

  deframer(neighbour: DeframerNeighbour): JoinedDeframer {
    const deframer = this.#deframers.pop() ?? new JoinedDeframer(this.#settings);
    deframer.neighbour = neighbour;
    return deframer;
  }

  framer(neighbour: FramerNeighbour): JoinedFramer {
    const framer = this.#framers.pop() ?? new JoinedFramer(this.#settings);
    framer.neighbour = neighbour;
    return framer;
  }

  /** Takes a Deframer back, if it can be done without. Returns what its connection goes on with. */
  parkDeframer(deframer: JoinedDeframer | undefined): JoinedDeframer | undefined {
    if (deframer?.isIdle !== true) return deframer;
    deframer.neighbour = undefined;
    if (this.#deframers.length < most) this.#deframers.push(deframer);
    return undefined;
  }

  /** The same for a Framer. */
  parkFramer(framer: JoinedFramer): JoinedFramer | undefined {
    if (!framer.isIdle) return framer;
    framer.neighbour = undefined;
    if (this.#framers.length < most) this.#framers.push(framer);
    return undefined;
  }
}

const sources = new WeakMap<JointSettings, JointSource>();

export function jointSourceFor(settings: JointSettings): JointSource {
  let source = sources.get(settings);
  if (source === undefined) {
    source = new JointSource(settings);
    sources.set(settings, source);
  }
  return source;
}
