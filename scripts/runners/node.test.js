/** @jest-environment node */
const { defineFakeTimerTests, defineTests } = require('./echoes');

defineTests({ test, expect });
defineFakeTimerTests({
  test,
  expect,
  fake: () => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] }),
  advance: (milliseconds) => jest.advanceTimersByTime(milliseconds),
  restore: () => jest.useRealTimers(),
});
