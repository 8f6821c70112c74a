import type { AddressInfo, Server } from 'node:net';

/** Runs a demo on the port that the environment variable PORT names, or on 4080. */
export function listen(server: Server, scheme: 'http' | 'https' = 'http'): void {
  const { PORT } = process.env;
  const port = Number(PORT || 4080);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    return giveUp(`PORT must be a number from 0 to 65535, not ${PORT}.`);
  }
  server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'EADDRINUSE') return giveUp(message);
    giveUp(`Port ${port} is in use. The variable PORT chooses another one, for example PORT=${port + 1}.`);
  });
  server.listen(port, () => {
    console.log(`Server running at ${scheme}://localhost:${(server.address() as AddressInfo).port}`);
  });
}

function giveUp(message: string): void {
  console.error(message);
  process.exitCode = 1;
}
