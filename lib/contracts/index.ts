/**
 * The interfaces between the parts of the library. A version, an extension or a transport that implements them works
 * with the other parts, and none of them imports another one.
 */

export type * from './extensions';
export type * from './frames';
export type * from './transports';
export type * from './versions';
