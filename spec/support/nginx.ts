import { accepting, type Files, Program } from './program';

/**
 * Starts nginx with a part of a configuration, and waits until it accepts connections.
 * @param http the part inside of `http { … }`, which listens on the port
 * @param files the files that it names
 */
export async function startNginx(path: string, port: number, http: string, files: Files = {}): Promise<Program> {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`);
  const program = await Program.start([path, '-e', 'stderr', '-p', '.', '-c', 'nginx.conf'], {
    ...files,
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
        ${folders.join('\n')}
        ${http}
      }
    `,
  });
  await accepting(port, program);
  return program;
}
