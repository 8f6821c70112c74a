import type { Side } from './side';

/** A pair of ends that have talked. */
export interface Talk {
  readonly one: Side;
  readonly other: Side;
}

/** What must not be at one end, whatever has failed. */
function ownFaults(side: Side): string[] {
  const wrong: string[] = [];
  const { name, events } = side;
  if (events.at(-1) !== 'close' || new Set(events).size !== events.length)
    wrong.push(`the events of the ${name} are ${events.join(', ')}`);
  if (events.filter((event) => event !== 'end' && event !== 'close').length > 1)
    wrong.push(`the ${name} was told of two errors: ${events.join(', ')}`);
  for (const { label, calls } of side.written)
    if (calls.length !== 1) wrong.push(`the callback of ${label} was called ${calls.length} times`);
  return wrong;
}

/** A message that did not come, and of which neither end was told. */
function lostFaults(writer: Side, reader: Side): string[] {
  const wrong: string[] = [];
  const written = writer.written.map(({ label }) => label);
  const { received } = reader;
  const inOrder = received.every(
    (label, i) => written.indexOf(label) > (i === 0 ? -1 : written.indexOf(received[i - 1] as string)),
  );
  if (!inOrder || new Set(received).size !== received.length)
    wrong.push(`the ${reader.name} received ${received.join(', ')} of ${written.join(', ')}`);
  if (!reader.reads) return wrong;
  const missing = writer.left.filter((label) => !received.includes(label));
  // What has left may be lost on the way: then the reader sees that its stream was cut off, or the writer that the close was not clean.
  if (missing.length > 0 && reader.endedCleanly)
    wrong.push(`the ${reader.name} ended cleanly without ${missing.join(', ')}, which had left`);
  if (missing.length > 0 && writer.endedCleanly && reader.told === 'nothing')
    wrong.push(`nobody was told that ${missing.join(', ')} did not come`);
  return wrong;
}

/** What is wrong with the end of a talk, in words. */
export function faultsOf({ one, other }: Talk): string[] {
  return [...ownFaults(one), ...ownFaults(other), ...lostFaults(one, other), ...lostFaults(other, one)];
}
