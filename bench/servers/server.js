/**
 * One server in a process of its own. Plain JavaScript and the built library, for a process like a user's, without a compiler in its
 * heap. It tells its parent its port, and what it has used whenever it is asked.
 */
const { PerformanceObserver } = require('node:perf_hooks');

const { library, style, options } = JSON.parse(process.argv[2]);
const served = require(`./${library}.js`);

let pauses = [];
/** Only where pauses are measured: whoever observes them has a part in them. */
const observer = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) pauses.push(duration);
});

const answers = {
  /** CPU time in µs, together with that of a worker. */
  async cpu() {
    const { user, system } = process.cpuUsage();
    return user + system + ((await served.cpu?.()) ?? 0);
  },
  /** Bytes that are in use once there is no garbage. */
  memory() {
    // More than once: what a finalizer frees is garbage only afterwards.
    for (let i = 0; i < 5; i++) global.gc();
    const { rss, heapUsed } = process.memoryUsage();
    return { resident: rss, heap: heapUsed };
  },
  observePauses() {
    observer.observe({ entryTypes: ['gc'] });
  },
  /** Milliseconds of each stop for garbage since this was last asked. */
  pauses() {
    const answer = pauses;
    pauses = [];
    return answer;
  },
  /** The native code in use: a library that falls back to JavaScript does so in silence. */
  addons() {
    return Object.keys(require.cache).filter((file) => file.endsWith('.node'));
  },
};

// A parent that has seen something fail may be gone before it gets the answer.
process.on('message', async (question) => process.send({ answer: (await answers[question]()) ?? null }, () => {}));
// An orderly exit: a profile is written by it.
process.on('disconnect', () => process.exit());

served.listen(style, options, (port) => process.send({ answer: port }));
