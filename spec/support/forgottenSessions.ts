/**
 * Some versions of Node answer a client that breaks HTTP/2 with GOAWAY, and then forget the session: they emit nothing, read nothing, and do
 * not see that its socket has closed. Only a heartbeat ends its WebSockets. These are the first versions of each line that end it at once.
 */
const mended: Readonly<Record<number, number>> = { 22: 23, 24: 21, 26: 0 };

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

/** Whether this Node may forget sessions. */
export const forgetsSessions = minor < (mended[major] ?? (major < 22 ? Number.POSITIVE_INFINITY : 0));
