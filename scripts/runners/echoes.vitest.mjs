import { expect, test } from 'vitest';
import { defineTests } from './echoes.js';

defineTests({ test, expect });
