export * from './checkOptions';
export * from './defaults';
export type * from './types';
