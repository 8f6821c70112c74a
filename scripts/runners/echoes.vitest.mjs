import { expect, test, vi } from 'vitest';
import { defineFakeTimerTests, defineTests } from './echoes.js';

defineTests({ test, expect });
defineFakeTimerTests({
  test,
  expect,
  fake: () => vi.useFakeTimers(),
  advance: (milliseconds) => vi.advanceTimersByTime(milliseconds),
  restore: () => vi.useRealTimers(),
});
