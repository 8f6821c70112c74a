export { type NatsBrokerOptions, natsBroker } from './natsBroker';
