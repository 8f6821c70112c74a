import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { Context } from 'mocha';
import { echoListener, type OurServer, serveOurs } from './ourServer';
import { accepting, type Files, freePort, Program } from './program';
import {
  type Certificate,
  certificateFile,
  certificateFiles,
  type Listening,
  type Setting,
  type Startable,
  startable,
  withoutReason,
} from './startable';
import { haproxy, need, nghttpx, nginx, type Tool } from './tools';

/** What a proxy speaks with the server behind it. */
export type BackendProtocol = 'http1' | 'http2';

/** Where a proxy listens, and what is behind it. */
interface Place {
  readonly port: number;
  /** The port of the server behind it, which knows nothing of TLS. */
  readonly target: number;
  readonly backend: BackendProtocol;
  /** With TLS its clients choose between HTTP/2 and HTTP/1.1. */
  readonly certificate: Certificate | undefined;
}

interface ProxyKind {
  readonly tool: Tool;
  /** How it is started, in a folder with its files; the first word, its path, is left out. */
  readonly parameters: (place: Place) => readonly string[];
  readonly files: (place: Place) => Files;
}

/** Without an HTTP/2 to servers, and with one to clients that does not take extended CONNECTs. */
const nginxKind: ProxyKind = {
  tool: nginx,
  parameters: () => ['-e', 'stderr', '-p', '.', '-c', 'nginx.conf'],
  files: ({ port, target, certificate }) => ({
    'nginx.conf': `
      ${process.getuid?.() === 0 ? 'user root;' : '# Only root may name a user.'}
      daemon off;
      master_process off;
      pid nginx.pid;
      error_log stderr error;
      events {
        worker_connections 1024;
      }
      http {
        access_log off;
        client_body_temp_path body;
        proxy_temp_path proxy;
        fastcgi_temp_path fastcgi;
        uwsgi_temp_path uwsgi;
        scgi_temp_path scgi;
        server {
          listen 127.0.0.1:${port} ${certificate ? 'ssl http2' : ''};
          ${certificate ? `ssl_certificate ${certificateFile}; ssl_certificate_key ${certificateFile};` : ''}
          location / {
            proxy_pass http://127.0.0.1:${target};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
          }
        }
      }
    `,
  }),
};

const haproxyKind: ProxyKind = {
  tool: haproxy,
  parameters: () => ['-db', '-f', 'haproxy.cfg'],
  files: ({ port, target, backend, certificate }) => ({
    'haproxy.cfg': `
      global
        maxconn 500
      defaults
        mode http
        timeout connect 5s
        timeout client 20s
        timeout server 20s
        timeout tunnel 1m
      frontend clients
        bind 127.0.0.1:${port} ${certificate ? `ssl crt ${certificateFile} alpn h2,http/1.1` : ''}
        # As other proxies do by themselves: what its client speaks.
        http-request set-header Via "%[req.ver] haproxy"
        default_backend ours
      backend ours
        server ours 127.0.0.1:${target} ${backend === 'http2' ? 'proto h2' : ''}
    `,
  }),
};

const nghttpxKind: ProxyKind = {
  tool: nghttpx,
  parameters: ({ port, target, backend, certificate }) => [
    // The file is not there, so that nothing is read that this machine may have.
    '--conf=nghttpx.conf',
    '--single-process',
    '--no-ocsp',
    '--log-level=ERROR',
    `--frontend=127.0.0.1,${port}${certificate ? '' : ';no-tls'}`,
    `--backend=127.0.0.1,${target};;proto=${backend === 'http2' ? 'h2' : 'http/1.1'}`,
    ...(certificate ? [certificateFile, certificateFile] : []),
  ],
  files: () => ({}),
};

const kinds = { nginx: nginxKind, haproxy: haproxyKind, nghttpx: nghttpxKind } as const;

export type ProxyName = keyof typeof kinds;

/** Starts a proxy in front of a server that listens already. The context is that of the calling hook. */
export async function startProxy(name: ProxyName, place: Omit<Place, 'port'>, context: Context): Promise<Listening> {
  const { tool, parameters, files } = kinds[name];
  const path = need(tool, context);
  const port = await freePort();
  const whole = { ...place, port };
  const program = await Program.start([path, ...parameters(whole)], {
    ...files(whole),
    ...certificateFiles(place.certificate),
  });
  await accepting(port, program);
  return { port, stop: () => program.stop() };
}

export function startBackend(
  protocol: BackendProtocol,
  report?: Parameters<typeof echoListener>[0],
): Promise<OurServer> {
  const server = protocol === 'http2' ? createHttp2Server() : createServer();
  return serveOurs(server, echoListener(report), { perMessageDeflate: true });
}

/** A proxy, and our server behind it, as one server. */
export function proxied(name: ProxyName, backend: BackendProtocol = 'http1'): Startable {
  const start = async ({ context, certificate, report }: Setting): Promise<Listening> => {
    const ours = await startBackend(backend, report);
    try {
      const proxy = await startProxy(name, { target: ours.port, backend, certificate }, context);
      return {
        port: proxy.port,
        async stop() {
          await Promise.all([proxy.stop(), ours[Symbol.asyncDispose]()]);
        },
      };
    } catch (error) {
      await ours[Symbol.asyncDispose]();
      throw error;
    }
  };
  // HAProxy 2.6 stops reading on both sides when HTTP/2 is on both and both are busy: so it does with two Node streams and no WebSocket.
  const bothWays = !(name === 'haproxy' && backend === 'http2');
  return startable(`${name} in front of our server`, start, {
    compression: true,
    bothWays,
    closeAnswer: withoutReason,
  });
}
