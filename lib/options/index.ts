export { checkIsObject, checkOptions, checkValues } from './checkOptions';
export * from './defaults';
export type * from './types';
export { refuseUnknown } from './unknownOptions';
