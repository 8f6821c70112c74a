import type { EventEmitter } from 'node:events';

/** From now on an 'error' that nobody listens for does not end the process: it is not the program's mistake. */
export function tolerateErrors(stream: Pick<EventEmitter, 'listeners' | 'on'>): void {
  if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
}

function ignore(): void {}
