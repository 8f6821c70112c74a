/** @jest-environment node */
require('./echoes').defineTests({ test, expect });
