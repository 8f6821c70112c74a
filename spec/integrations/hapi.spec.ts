import { start } from '../../demo/frameworks/hapi';
import { itKeepsTheContract } from './contract';

describe('Hapi', () => itKeepsTheContract(() => start(0)));
