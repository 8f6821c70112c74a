import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

/**
 * Lets mocked time go by until this has come, with turns of the event loop in which bytes travel. Returns how many milliseconds
 * have gone by.
 */
export async function passUntil(event: Promise<unknown>, step = 50): Promise<number> {
  let passed = 0;
  let over = false;
  const end = () => {
    over = true;
  };
  event.then(end, end);
  while (!over) {
    mock.timers.tick(step);
    passed += step;
    for (let i = 0; i < 5; i++) await turn();
  }
  await event;
  return passed;
}

let made = 0;

/**
 * A heartbeat with settings that no other connection has: those with the same settings are on one timer, and that of a connection
 * from before the time was mocked is a real one.
 */
export function ownHeartbeat(settings: { interval: number; timeout: number }): { interval: number; timeout: number } {
  return { ...settings, interval: settings.interval + ++made / 1000 };
}
