export { checkConnectOptions, checkIsObject, checkOptions, checkValues } from './checkOptions';
export { type ConnectionSettings, settingsFor } from './connectionSettings';
export * from './defaults';
export type * from './types';
export { refuseUnknown } from './unknownOptions';
