export type {
  Broker,
  BrokerDriver,
  BrokerGuarantees,
  BrokerSettings,
  HistoryLimits,
  LostReason,
  PublishOptions,
  TopicBounds,
  TopicMessage,
} from './broker';
export type { TopicTotals } from './channel/channel';
export type { MemberCounts } from './channel/socketMember';
export type { Joined } from './joined';
export { type MemoryBrokerOptions, memoryBroker } from './memoryBroker';
export type { AddOptions, JoinOptions, MemberOptions, Resumption, TopicPolicy, TopicsOptions } from './options';
export type { Presence } from './presence/presence';
export type { PresenceChange, PresentMember } from './presence/presenceState';
export type { Topic } from './topic';
export { Topics, type TopicsEvents } from './topics';
