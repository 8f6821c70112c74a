import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import connect from 'connect';
import serveStatic from 'serve-static';
import { createConnectApp } from './connectDemo';

function asText(response: ServerResponse): void {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
}

/** A folder of an installed package. */
function packageFolder(name: string, folder: string): string {
  return join(dirname(require.resolve(`${name}/package.json`)), folder);
}

const packageJson = readFileSync(join(__dirname, '..', 'package.json'));

/** Everything that is not a WebSocket: the pages, the source of the demos, the documentation, and the packages that the pages use. */
export function createPages(): connect.Server {
  const app = connect();
  app.use((_request, response, next) => {
    // The pages with a slow reader share memory with its thread, which browsers allow to isolated pages only.
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    next();
  });
  app.use('/source', serveStatic(__dirname, { index: false, setHeaders: asText }));
  app.use('/docs', serveStatic(join(__dirname, '..', 'docs'), { index: false, setHeaders: asText }));
  app.use('/package.json', (_request, response) => {
    // In two steps: setHeader() of HTTP/2 returns nothing.
    response.setHeader('Content-Type', 'application/json');
    response.end(packageJson);
  });
  app.use('/packages/mqtt', serveStatic(packageFolder('mqtt', 'dist')));
  app.use('/packages/uplot', serveStatic(packageFolder('uplot', 'dist')));
  app.use(createConnectApp());
  return app;
}
