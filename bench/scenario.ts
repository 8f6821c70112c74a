import type { ContenderName } from './contenders';
import type { Work } from './work';

/** What one round of a measurement yields, by name. */
export type Figures = Readonly<Record<string, number>>;

/** How long and how often. */
export interface Settings {
  readonly rounds: number;
  /** Milliseconds of one measurement. */
  readonly measured: number;
  /** Milliseconds of work before the first round, so that what is measured has been compiled. */
  readonly warmUp: number;
  /** Milliseconds of work before every measurement. */
  readonly settling: number;
  /** Milliseconds until a connection counts as silent: the `idleRelease` of our server and some more. */
  readonly silence: number;
  /** Where profiles go, if they are wanted. */
  readonly profile?: string | undefined;
  /** The `dist` folder of the other build, for the contenders that are measured of it. */
  readonly otherBuild?: string | undefined;
}

/** What must hold: our figure, or its part of somebody else's, is at most this. */
export interface Mark {
  readonly figure: string;
  readonly subject: ContenderName;
  /** Nobody: then the mark is a figure itself. */
  readonly against?: ContenderName;
  readonly atMost: number;
  /** Two processes of the same code: how far they are apart tells how exact the comparison is. */
  readonly noise?: readonly [ContenderName, ContenderName];
}

export interface Scenario {
  /** The heading in the results that it stands under. */
  readonly section: string;
  readonly name: string;
  readonly measures:
    | 'echo'
    | 'broadcast'
    | 'client'
    | 'opening'
    | 'openAndClose'
    | 'shortLived'
    | 'handshakes'
    | 'memory'
    | 'latency'
    | 'large';
  readonly work: Work;
  readonly contenders: readonly ContenderName[];
  readonly marks: readonly Mark[];
  /** Fewer than others: for what takes long. */
  readonly rounds?: number;
}

/** One contender in one scenario. */
export interface Runner {
  warmUp(): Promise<void>;
  measure(): Promise<Figures>;
  stop(): Promise<void>;
}
