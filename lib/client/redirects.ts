import { Agent, type OutgoingHttpHeaders } from 'node:http';
import { type RequestOptions, Agent as SecureAgent } from 'node:https';
import { WebSocketError } from '../errors';
import type { Answer, ClientTarget } from '../transports/client/clientAttempt';
import { locationOf } from './clientUrl';
import { safeNodeOptions } from './nodeOptions';

/** Node's agents keep their options; the types of Node 20 do not have them. */
type NodeAgent = Agent & { readonly options?: { readonly proxyEnv?: unknown } };

const redirects = new Set([301, 302, 303, 307, 308]);

/** Headers that are meant for one server only. */
const secretHeaders = new Set(['authorization', 'cookie', 'proxy-authorization', 'host']);

/**
 * Returns the target of a redirect, or undefined if the response is no redirect. To another origin, no credentials, no
 * cookies and no identity of the program are sent: the program trusts this server, but not the next one.
 * @throws WebSocketError WS_ERR_HANDSHAKE_REFUSED for a redirect that must not be followed
 */
export function redirected(
  { statusCode, headers }: Pick<Answer, 'statusCode' | 'headers'>,
  target: ClientTarget,
): ClientTarget | undefined {
  const { location: answered } = headers;
  if (!redirects.has(statusCode) || answered === undefined) return undefined;
  const url = URL.canParse(answered, target.location.href) ? new URL(answered, target.location) : undefined;
  // Name and password in a redirect are removed, because they come from the server and not from the program.
  const location = url && locationOf(url);
  const refuse = (why: string) => new WebSocketError('WS_ERR_HANDSHAKE_REFUSED', why, { statusCode, headers });
  if (location === undefined) throw refuse('its Location is no URL with the scheme ws, wss, http or https');
  if (target.location.protocol === 'wss:' && location.protocol === 'ws:')
    throw refuse(`it redirects to ${location.href}, which is not encrypted`);
  if (location.origin === target.location.origin) return { ...target, location };
  const own = ownTransport(target.requestOptions);
  if (own !== undefined)
    throw refuse(`it redirects to ${location.origin}, and option ${own} may be for ${target.location.origin} only`);
  return { location, headers: withoutSecrets(target.headers), requestOptions: safeOptions(target.requestOptions) };
}

function withoutSecrets(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !secretHeaders.has(name.toLowerCase())));
}

/**
 * Returns the option with which the program makes its connections itself, if there is one. It may contain a
 * certificate, which another origin must not get, or it may be a proxy, which must not be bypassed. Only for Node's own
 * agents can this be found out.
 */
function ownTransport({ agent, createConnection }: RequestOptions): 'agent' | 'createConnection' | undefined {
  if (createConnection !== undefined) return 'createConnection';
  return typeof agent === 'object' && !isNodeAgent(agent) ? 'agent' : undefined;
}

/** Returns whether this is an unmodified agent of Node, without a proxy from the environment (Node 24). */
function isNodeAgent(agent: Agent): boolean {
  const isPlain = agent.constructor === Agent || agent.constructor === SecureAgent;
  return isPlain && !Object.hasOwn(agent, 'createConnection') && (agent as NodeAgent).options?.proxyEnv === undefined;
}

/** Returns the options of the request, or of an agent of Node, that may be used for another origin. */
function safeOptions({ agent, ...options }: RequestOptions): RequestOptions {
  const all: Record<string, unknown> = { ...(agent ? (agent as NodeAgent).options : {}), ...options };
  const safe = safeNodeOptions.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]);
  return { ...Object.fromEntries(safe), ...(agent === false && { agent }) };
}
