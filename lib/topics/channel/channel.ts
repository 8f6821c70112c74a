import { setImmediate as nextTurn } from 'node:timers/promises';
import { isOpen } from '../../broadcast/broadcast';
import type { FanOutOwner } from '../../broadcast/fanOut';
import { throwLater } from '../../nodeStreams/throwLater';
import { type AnyWebSocket, PreparedMessage } from '../../webSocketHandler';
import type { HistoryLimits, LostReason, TopicBounds, TopicMessage } from '../broker';
import { type Position, parseCursor, toCursor } from '../cursor';
import type { AddOptions, Resumption } from '../options';
import { CatchUp, type Live } from './catchUp';
import { boundsOf, endOf, follow, startOf } from './follow';
import { Group } from './group';
import { isLost, type Link } from './link';
import { Publisher } from './publisher';
import { Recall } from './recall';
import type { RecentMessages } from './recent';
import { type MemberCounts, SocketMember } from './socketMember';

/** A member that is no WebSocket. */
export interface Follower {
  /** Takes a live message. */
  offer(message: TopicMessage): void;
  readonly onResume?: ((outcome: Resumption) => void) | undefined;
}

/** The sums over all members of a topic in this process, including former members. */
export interface TopicTotals {
  /** Messages that this process has published. */
  readonly published: number;
  /** Messages that were written to members. */
  readonly sent: number;
  /** Messages that were dropped because a member lagged. */
  readonly dropped: number;
  /** Messages that wait until a member has caught up. */
  readonly waiting: number;
  /** Members that were closed because they lagged. */
  readonly closed: number;
  /** Members that read history at this time. */
  readonly catchingUp: number;
}

/** One topic in this process: its members, one reader for all that are live, and what is published. */
export class Channel implements Live {
  readonly name: string;
  readonly link: Link;
  readonly publisher: Publisher;
  readonly recent: RecentMessages;
  readonly recall: Recall;
  /** The live members that are no WebSockets. */
  readonly followers = new Set<Follower>();
  position: Position | undefined;
  started: Promise<void> = Promise.resolve();
  readonly #groups = new Set<Group>();
  readonly #members = new Map<AnyWebSocket, SocketMember>();
  readonly #webSockets = new Set<AnyWebSocket>();
  /** All that need the live messages sooner or later, live or not. */
  readonly #readers = new Set<object>();
  #reading: AbortController | undefined;
  /** Members that have read more than the live reader, and wait for it. */
  #ahead: { readonly offset: number; readonly callback: () => void }[] = [];
  #former = { sent: 0, dropped: 0, closed: 0 };
  readonly #owner: FanOutOwner = {
    remove: (webSocket) => this.delete(webSocket),
    fellBehind: (webSocket, last) => this.#fellBehind(webSocket, last as TopicMessage),
  };

  constructor(
    link: Link,
    name: string,
    recent: RecentMessages,
    history: Required<HistoryLimits>,
    publishTimeout: number,
  ) {
    this.link = link;
    this.name = name;
    this.recent = recent;
    this.recall = new Recall(link, name, recent, () => this.position);
    this.publisher = new Publisher(link, name, history, publishTimeout, (position) => this.#published(position));
  }

  get webSockets(): ReadonlySet<AnyWebSocket> {
    return this.#webSockets;
  }

  get isIdle(): boolean {
    return this.#readers.size === 0 && this.publisher.isIdle;
  }

  get totals(): TopicTotals {
    let catchingUp = 0;
    let waiting = 0;
    let { sent, dropped, closed } = this.#former;
    for (const group of this.#groups) closed += group.totals.closed;
    for (const { counts } of this.#members.values()) {
      sent += counts.sent;
      dropped += counts.dropped;
      waiting += counts.waiting;
      if (counts.catchingUp) catchingUp++;
    }
    return { published: this.publisher.count, sent, dropped, waiting, closed, catchingUp };
  }

  counts(webSocket: AnyWebSocket): MemberCounts | undefined {
    return this.#members.get(webSocket)?.counts;
  }

  /** @param leavePresence called when the member has left */
  add(webSocket: AnyWebSocket, options: AddOptions, present: () => (() => void) | undefined): void {
    if (this.link.signal.aborted || this.#members.has(webSocket) || !isOpen(webSocket)) return;
    const member = new SocketMember(webSocket, this.#groupFor(options), options.onResume, (failed, error) =>
      this.#fail(failed, error),
    );
    member.group.users++;
    this.#members.set(webSocket, member);
    this.#webSockets.add(webSocket);
    webSocket._core.closing.groups.add(this);
    this.enter(member);
    const { after } = options;
    if (after == null) member.caughtUp();
    else member.catchUp = new CatchUp(this, member, after, true);
    member.leavePresence = present();
  }

  delete(webSocket: AnyWebSocket): boolean {
    const member = this.#members.get(webSocket);
    if (member === undefined) return false;
    this.#members.delete(webSocket);
    this.#webSockets.delete(webSocket);
    webSocket._core.closing.groups.delete(this);
    member.catchUp?.stop();
    member.leaveGroup();
    const { sent, dropped } = member.counts;
    this.#former.sent += sent;
    this.#former.dropped += dropped;
    member.leavePresence?.();
    this.#leaveGroup(member.group);
    this.exit(member);
    return true;
  }

  /** Notes that somebody needs the live messages, and begins to read them. */
  enter(reader: object): void {
    this.#readers.add(reader);
    if (this.#reading !== undefined) return;
    this.#reading = new AbortController();
    this.publisher.hold();
    this.started = new Promise((resolve) => {
      void this.#read((this.#reading as AbortController).signal, resolve);
    });
  }

  /** Notes that it needs them no more, and stops reading if nobody does. */
  exit(reader: object): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0) this.#stopReading();
  }

  whenAt(offset: number, callback: () => void): void {
    this.#ahead.push({ offset, callback });
  }

  /** Lets all members go. Their WebSockets stay open. */
  close(): void {
    for (const webSocket of this.#webSockets) this.delete(webSocket);
    this.#readers.clear();
    this.#stopReading();
    this.publisher.close();
  }

  #stopReading(): void {
    this.#reading?.abort();
    this.#reading = undefined;
    this.position = undefined;
    this.recent.clear();
    this.publisher.notRead();
    this.publisher.letGo();
  }

  async #read(signal: AbortSignal, started: () => void): Promise<void> {
    const begin = () => {
      started();
      if (!signal.aborted) this.publisher.letGo();
    };
    const bounds = await boundsOf(this.link, this.name, signal, begin);
    if (bounds !== undefined) {
      this.position ??= parseCursor(endOf(bounds)) as Position;
      // What this process has published meanwhile is gone.
      if (this.position.epoch !== bounds.epoch) this.#skipLost('epoch', bounds);
      this.publisher.readingFrom(this.position.offset);
    }
    begin();
    while (!signal.aborted) await this.#follow(signal);
  }

  /** Reads until there is a gap, and goes on behind it. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { link, name: topic } = this;
    const cursor = () => toCursor(this.position as Position);
    try {
      await follow(cursor(), {
        link,
        topic,
        signal,
        take: (message) => this.#deliver(message),
        interrupted: () => this.publisher.notRead(),
        resumed: () => {
          this.publisher.readingFrom((this.position as Position).offset);
          this.#tell({ recovered: true, after: cursor() });
        },
      });
    } catch (error) {
      if (!isLost(error) || error.lost === undefined) throw error;
      const bounds = await boundsOf(link, topic, signal);
      if (bounds === undefined) return;
      this.#skipLost(error.lost, bounds);
      this.publisher.readingFrom(this.position?.offset as number);
    }
  }

  /** Goes on with the oldest message that is kept, because those behind the position are not. */
  #skipLost(lost: LostReason, bounds: TopicBounds): void {
    this.#tell({ recovered: false, lost, after: toCursor(this.position as Position) });
    this.position = parseCursor(startOf(bounds)) as Position;
    this.recent.clear();
    this.#callAhead(Number.POSITIVE_INFINITY);
  }

  /** Gives a message to all live members. Members that have just begun to lag get a turn of the event loop to catch up. */
  #deliver(message: TopicMessage): void | Promise<void> {
    const position = parseCursor(message.id) as Position;
    this.recent.add(this.position as Position, position.offset, message);
    this.position = position;
    let prepared: PreparedMessage | undefined;
    const plain = () => {
      prepared ??= new PreparedMessage(message.data);
      return prepared;
    };
    let lags = false;
    for (const group of this.#groups) lags = this.#deliverTo(group, message, plain) || lags;
    for (const follower of this.followers) follower.offer(message);
    if (this.#ahead.length > 0) this.#callAhead(this.position.offset);
    this.publisher.deliveredUpTo(this.position.offset);
    return lags ? nextTurn() : undefined;
  }

  #deliverTo(group: Group, message: TopicMessage, plain: () => PreparedMessage): boolean {
    if (group.webSockets.size === 0) return false;
    let entry: ReturnType<Group['entry']>;
    try {
      entry = group.entry(message, plain);
    } catch (error) {
      for (const webSocket of group.webSockets)
        this.#fail(this.#members.get(webSocket) as SocketMember, error as Error);
      return false;
    }
    return group.deliver(entry);
  }

  #callAhead(offset: number): void {
    const all = this.#ahead;
    this.#ahead = all.filter((each) => each.offset > offset);
    for (const each of all) if (each.offset <= offset) each.callback();
  }

  /** Tells the live members. The others find out by themselves. */
  #tell(outcome: Resumption): void {
    for (const { isLive, onResume } of this.#members.values())
      if (isLive && onResume !== undefined) throwLater(() => onResume(outcome));
    for (const { onResume } of this.followers) if (onResume !== undefined) throwLater(() => onResume(outcome));
  }

  /** Called when this process has published a message. Members that have joined while the broker was away must get it. */
  #published({ epoch, offset }: Position): void {
    if (this.#reading !== undefined) this.position ??= { epoch, offset: offset - 1 };
  }

  #fellBehind(webSocket: AnyWebSocket, { id }: TopicMessage): void {
    const member = this.#members.get(webSocket) as SocketMember;
    member.leaveGroup();
    member.catchUp = new CatchUp(this, member, id, false);
  }

  /** A message cannot be sent to a member, because the program's `format()` or `key()` has thrown: its stream must not go on without it. */
  #fail({ webSocket }: SocketMember, error: Error): void {
    this.delete(webSocket);
    webSocket.destroy(error);
  }

  #groupFor(options: AddOptions): Group {
    for (const group of this.#groups) if (group.fits(options)) return group;
    const group = new Group(this.#owner, options);
    this.#groups.add(group);
    return group;
  }

  #leaveGroup(group: Group): void {
    if (--group.users > 0) return;
    this.#former.closed += group.totals.closed;
    this.#groups.delete(group);
  }
}
