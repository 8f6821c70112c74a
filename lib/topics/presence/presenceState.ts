/** Someone who is present in a topic. */
export interface PresentMember {
  /** Differs for everyone who is present, also for the same `info`. */
  readonly id: string;
  /** What was given as `presence`, as JSON keeps it. */
  readonly info: unknown;
}

/** A difference: who has joined and who has left. */
export interface PresenceChange {
  /** Who is present now, and was not before. */
  readonly joined: readonly PresentMember[];
  /** Who was present before, and is not now. */
  readonly left: readonly PresentMember[];
}

type Entries = readonly (readonly [id: string, info: unknown])[];

/**
 * What the processes write into the topic of presence. `process` is the sender, `count` the number of differences that it has told so far,
 * and `at` its clock.
 */
export type PresenceMessage = { readonly process: string; readonly count: number; readonly at: number } & (
  | { readonly kind: 'alive' | 'ask' | 'gone' }
  | { readonly kind: 'change'; readonly joined: Entries; readonly left: readonly string[] }
  /** All that are present in the process. `more` if another part follows. */
  | { readonly kind: 'state'; readonly entries: Entries; readonly first: boolean; readonly more: boolean }
);

interface Process {
  count: number;
  /** Whether its messages up to `count` are known. If not, it is asked for its state. */
  known: boolean;
  /** When it was heard of last, by our clock. */
  heard: number;
  members: Map<string, PresentMember>;
  /** The parts of a state that is being received. */
  parts: Map<string, PresentMember>;
}

/** Who is present in the other processes, by the messages that were received from them. */
export class PresenceState {
  readonly #processes = new Map<string, Process>();
  readonly #timeout: number;
  readonly #changed: (change: PresenceChange) => void;

  constructor(timeout: number, changed: (change: PresenceChange) => void) {
    this.#timeout = timeout;
    this.#changed = changed;
  }

  *members(): Generator<PresentMember> {
    for (const { members } of this.#processes.values()) yield* members.values();
  }

  /** Whether a process is there whose members are not known. */
  get isIncomplete(): boolean {
    for (const { known } of this.#processes.values()) if (!known) return true;
    return false;
  }

  /** Messages were lost, so nothing that is known is certain: all must be asked for their state. */
  forgetCounts(): void {
    for (const process of this.#processes.values()) process.known = false;
  }

  receive(message: PresenceMessage): void {
    const now = Date.now();
    // A message of the history, of a process that may be gone for long.
    if (now - message.at > this.#timeout) return;
    if (message.kind === 'gone') return this.#remove(message.process);
    let process = this.#processes.get(message.process);
    if (process === undefined) {
      // Who begins with its first difference is known from there.
      process = { count: 0, known: true, heard: now, members: new Map(), parts: new Map() };
      this.#processes.set(message.process, process);
    }
    process.heard = now;
    if (message.kind === 'state') this.#receiveState(process, message);
    else if (message.kind === 'change') this.#receiveChange(process, message);
    else process.known &&= process.count === message.count;
  }

  /** Removes processes that were not heard of for the timeout. */
  removeSilent(): void {
    const oldest = Date.now() - this.#timeout;
    for (const [name, { heard }] of this.#processes) if (heard <= oldest) this.#remove(name);
  }

  #receiveChange(process: Process, message: PresenceMessage & { kind: 'change' }): void {
    if (!process.known || message.count !== process.count + 1) {
      process.known = false;
      return;
    }
    process.count = message.count;
    const left: PresentMember[] = [];
    for (const id of message.left) {
      const member = process.members.get(id);
      if (member !== undefined) left.push(member);
      process.members.delete(id);
    }
    const joined = message.joined.map(([id, info]) => ({ id, info }));
    for (const member of joined) process.members.set(member.id, member);
    this.#changed({ joined, left });
  }

  #receiveState(process: Process, { count, entries, first, more }: PresenceMessage & { kind: 'state' }): void {
    if (first) process.parts = new Map();
    for (const [id, info] of entries) process.parts.set(id, { id, info });
    if (more) return;
    const { members, parts } = process;
    process.members = parts;
    process.parts = new Map();
    process.count = count;
    process.known = true;
    const joined = [...parts.values()].filter(({ id }) => !members.has(id));
    const left = [...members.values()].filter(({ id }) => !parts.has(id));
    if (joined.length > 0 || left.length > 0) this.#changed({ joined, left });
  }

  #remove(name: string): void {
    const process = this.#processes.get(name);
    this.#processes.delete(name);
    if (process !== undefined && process.members.size > 0)
      this.#changed({ joined: [], left: [...process.members.values()] });
  }
}
