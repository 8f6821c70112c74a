/** @jest-environment jsdom */
require('./echoes').defineTests({ test, expect });
