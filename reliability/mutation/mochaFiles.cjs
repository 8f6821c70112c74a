// Loaded into the processes of Stryker, whose runner requires files of Mocha without their ending: since Mocha 12 it is .cjs.
const { _extensions: extensions } = require('node:module');

extensions['.cjs'] ??= extensions['.js'];
