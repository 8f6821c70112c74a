import { carries, isOpen } from '../../broadcast/broadcast';
import { type AnyWebSocket, PreparedMessage } from '../../webSocketHandler';
import type { TopicMessage } from '../broker';
import type { Resumption } from '../options';
import type { CatchUp, Reader } from './catchUp';
import type { Group } from './group';

/** The numbers of messages for one member of a topic. */
export interface MemberCounts {
  /** Messages that were written to its WebSocket. */
  readonly sent: number;
  /** Messages that were dropped because the member lagged. */
  readonly dropped: number;
  /** Messages that wait until the member has caught up. */
  readonly waiting: number;
  /** Whether the member reads history at its own pace, or will when it can take more. */
  readonly catchingUp: boolean;
}

/** A WebSocket that is a member of a topic: live in its group, or reading history. */
export class SocketMember implements Reader {
  readonly webSocket: AnyWebSocket;
  readonly group: Group;
  readonly onResume: ((outcome: Resumption) => void) | undefined;
  /** Ends what the others see of the member. */
  leavePresence: (() => void) | undefined;
  catchUp: CatchUp | undefined;
  /** Of the times when it was live before. */
  #sent = 0;
  #dropped = 0;
  /** Messages that were written to the WebSocket and have not reached the operating system. */
  #unsent = 0;
  #whenSent: (() => void) | undefined;
  readonly #fail: (member: SocketMember, error: Error) => void;

  /** @param fail called if the program's `format()` throws */
  constructor(
    webSocket: AnyWebSocket,
    group: Group,
    onResume: ((outcome: Resumption) => void) | undefined,
    fail: (member: SocketMember, error: Error) => void,
  ) {
    this.webSocket = webSocket;
    this.group = group;
    this.onResume = onResume;
    this.#fail = fail;
  }

  get counts(): MemberCounts {
    const live = this.group.counts(this.webSocket);
    return {
      sent: this.#sent + (live?.sent ?? 0),
      dropped: this.#dropped + (live?.dropped ?? 0),
      waiting: live?.waiting ?? 0,
      catchingUp: this.catchUp !== undefined || this.group.isBehind(this.webSocket),
    };
  }

  /** Whether it gets the live messages. */
  get isLive(): boolean {
    return this.catchUp === undefined && !this.group.isBehind(this.webSocket);
  }

  /** Leaves the live messages. */
  leaveGroup(): void {
    const { sent, dropped } = this.counts;
    this.#sent = sent;
    this.#dropped = dropped;
    this.group.delete(this.webSocket);
  }

  give(message: TopicMessage): void | Promise<void> {
    let prepared: PreparedMessage;
    try {
      prepared = this.group.prepare(message, () => new PreparedMessage(message.data));
    } catch (error) {
      return this.#fail(this, error as Error);
    }
    const { webSocket } = this;
    if (!isOpen(webSocket) || !carries(webSocket, prepared)) return undefined;
    this.#sent++;
    this.#unsent++;
    const mayGoOn = webSocket.write(prepared, () => {
      if (--this.#unsent === 0) this.#whenSent?.();
    });
    if (mayGoOn) return undefined;
    return new Promise((resolve) => {
      this.#whenSent = resolve;
    });
  }

  caughtUp(): void {
    this.catchUp = undefined;
    this.group.add(this.webSocket);
  }
}
