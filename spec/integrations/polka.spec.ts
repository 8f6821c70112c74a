import { start } from '../../demo/frameworks/polka';
import { itKeepsTheContract } from './contract';

describe('Polka', () => itKeepsTheContract(() => start(0)));
