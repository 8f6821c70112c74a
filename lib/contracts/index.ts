/**
 * The plug points of the library, as types. A draft, a transport or a stream that keeps these contracts fits the rest,
 * and none of them needs to import another.
 */

export type * from './extensions';
export type * from './frames';
export type * from './transports';
export type * from './versions';
