/** The test of docs/recipes.md, as it stands there. */
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { createPair } = require('node-websocket-handler');

const page = readFileSync(join(__dirname, '..', '..', 'docs', 'recipes.md'), 'utf8');
const [, code] = /^## Tests\n.*?^```js\n(.*?)^```/ms.exec(page) ?? [];
if (code === undefined) throw new Error('docs/recipes.md has no test below its heading Tests');

/** The function under test. */
const greet = (ws) => ws.on('message', (name) => ws.write(`hello ${name}`));

/** Defines the test with the function that the runner has for this. */
exports.defineRecipe = (test) =>
  new Function('test', 'assert', 'once', 'createPair', 'greet', code)(test, assert, once, createPair, greet);
