/** nginx as a legacy server: files of given sizes over HTTP. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../lab.ts';
import type { Machine } from '../machine.ts';
import { type Payload, writePayload } from '../payload.ts';
import type { Program } from '../process.ts';

export class WebServer {
  readonly machine: Machine;
  readonly port: number;
  readonly #folder: string;
  readonly program: Program;

  private constructor(machine: Machine, port: number, folder: string, program: Program) {
    this.machine = machine;
    this.port = port;
    this.#folder = folder;
    this.program = program;
  }

  static async start(lab: Lab, machine: Machine, port = 80): Promise<WebServer> {
    const folder = lab.directory(`nginx-${machine.name}-${port}`);
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, configuration(folder, port));
    const program = machine.start(['nginx', '-c', file, '-p', folder, '-e', 'stderr']);
    await machine.listening('tcp', port);
    return new WebServer(machine, port, folder, program);
  }

  /** A file that is served as /`name`. */
  file(name: string, bytes: number): Payload {
    return writePayload(join(this.#folder, name), bytes);
  }
}

const configuration = (folder: string, port: number): string => `
daemon off;
user root;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen ${port};
    listen [::]:${port};
    root ${folder};
  }
}
`;
