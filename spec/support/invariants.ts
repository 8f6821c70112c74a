import type { ObservedEnd } from './observedEnd';

/** What has happened at an end, and at the one that it is connected with. */
export interface Observed {
  readonly end: ObservedEnd;
  readonly peer: ObservedEnd;
  /** The opcodes of the frames that the end has sent; undefined if nobody has looked at the bytes. */
  readonly opcodes?: readonly number[];
}

/** What holds for each end of a connection, whatever happens to it. docs/reliability.md has this list. */
export interface Invariant {
  readonly says: string;
  /** Returns what is wrong, or undefined. */
  readonly check: (observed: Observed) => string | undefined;
}

const otherThanEnd = (events: readonly string[]) => events.filter((event) => event !== 'end' && event !== 'close');

const missing = (writer: ObservedEnd, reader: ObservedEnd) =>
  writer.left.filter((label) => !reader.received.includes(label));

export const invariants: readonly Invariant[] = [
  {
    says: "`'close'` is emitted exactly once, and nothing is emitted after it.",
    check: ({ end: { events } }) =>
      events.filter((event) => event === 'close').length === 1 && events.at(-1) === 'close'
        ? undefined
        : `the events are ${events.join(', ') || 'none'}`,
  },
  {
    says: "`'end'` is emitted at most once, and so is an error.",
    check: ({ end: { events } }) =>
      otherThanEnd(events).length > 1 || events.filter((event) => event === 'end').length > 1
        ? `the events are ${events.join(', ')}`
        : undefined,
  },
  {
    says: '`whenClosed()` always settles, with the code that `closeCode` has.',
    check: ({ end: { outcome, codeInClose } }) =>
      outcome === undefined || outcome.code !== codeInClose
        ? `whenClosed() has ${outcome?.code}, and closeCode was ${codeInClose}`
        : undefined,
  },
  {
    says: 'The callback of each write is called exactly once.',
    check: ({ end: { written } }) => {
      const wrong = written.find(({ calls }) => calls.length !== 1);
      return wrong && `the callback of ${wrong.label} was called ${wrong.calls.length} times`;
    },
  },
  {
    says: 'The promise of each ping settles.',
    check: ({ end: { pings } }) =>
      pings.every(({ settled }) => settled === 1) ? undefined : `${pings.length} pings, and not all have settled`,
  },
  {
    says: 'Messages arrive in the order in which they were written, each at most once, and none that was not written.',
    check: ({ end: { received }, peer: { written } }) => {
      const places = received.map((label) => written.findIndex((each) => each.label === label));
      return places.every((place, i) => place > (places[i - 1] ?? -1))
        ? undefined
        : `${received.join(', ')} arrived of ${written.map(({ label }) => label).join(', ')}`;
    },
  },
  {
    says: "No message is lost silently: an end that reads and sees only `'end'` has got every message whose callback reported success.",
    check: ({ end, peer }) => {
      const lost = missing(peer, end);
      return end.reads && end.endedCleanly && lost.length > 0
        ? `it ended cleanly without ${lost.join(', ')}`
        : undefined;
    },
  },
  {
    says: 'Each end sends at most one Close frame, and nothing after it.',
    check: ({ opcodes = [] }) => {
      const close = opcodes.indexOf(8);
      return close === -1 || close === opcodes.length - 1 ? undefined : `it sent the opcodes ${opcodes.join(', ')}`;
    },
  },
];

/** What is wrong with an end, in words. */
export function violations(observed: Observed): string[] {
  return invariants.flatMap(({ says, check }) => {
    const wrong = check(observed);
    return wrong === undefined ? [] : [`the ${observed.end.name}: ${wrong} (${says})`];
  });
}
