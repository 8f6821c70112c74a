// What `import plugin from` gets in an ES module; for the file that require() gets, it would be an object with the plugin in it.
import commonJs from './fastify.js';

export type { FastifyWebSocketOptions, WebSocketRouteHandler, WebSocketRouteOptions } from './fastify.js';
export default commonJs.default;
