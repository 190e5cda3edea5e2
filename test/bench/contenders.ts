// The proxies that are measured side by side, each one process with one thread that moves bytes.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { pinned } from "./pinned.ts";

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const IMPORT_GC = `--import=${new URL("gc-on-signal.ts", import.meta.url)}`;
const QUIET = "--disable-warning=ExperimentalWarning --no-deprecation";

/** Where a contender listens, whom it serves, and a folder for its configuration. */
interface Place {
  readonly port: number;
  readonly backend: number;
  readonly folder: string;
}

export interface Contender {
  readonly name: string;
  /** Whether it is a Node process that collects garbage on SIGUSR2. */
  readonly collects: boolean;
  /** Writes the configuration and gives the command that stays in the foreground. */
  command(place: Place): Promise<readonly string[]> | readonly string[];
}

/** High enough that nothing is ever held back: what is measured is the counting. */
const LIMITS = `
  limits:
    connections: {total: 100000, perClientIP: 100000}
    handshakes: {total: {rate: 1000000}, perClientIP: {rate: 1000000}}
    messages: {perConnection: {rate: 1000000}}
    bytes: {perConnection: {rate: 1Gi}}`;

/** A route to the echoing backend; the policies are lines of its spec, each after a line feed. */
export interface BenchRoute {
  readonly name: string;
  readonly path: string;
  readonly policies: string;
}

const routeManifest = ({ name, path, policies }: BenchRoute, backend: number): string => `
apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata: {name: ${name}}
spec:
  parentRefs: [{name: bench}]
  matches: [{path: {value: ${path}}}]
  backendRefs: [{name: echo, port: ${backend}}]${policies}
---`;

const holdfastManifests = (backend: number, routes: readonly BenchRoute[]): string => `
apiVersion: holdfast.dev/v1alpha1
kind: WebSocketGateway
metadata: {name: bench}
spec:
  listeners: [{name: ws, port: 8080, protocol: WS}]
---${routes.map((route) => routeManifest(route, backend)).join("")}
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {type: ExternalName, externalName: 127.0.0.1, ports: [{port: ${backend}}]}
`;

/** Holdfast as it runs from files. */
export const holdfastWith = (name: string, routes: readonly BenchRoute[]): Contender => ({
  name,
  collects: true,
  command: ({ port, backend, folder }) => {
    writeFileSync(join(folder, "holdfast.yaml"), holdfastManifests(backend, routes));
    const ports = ["--port", String(port), "--api-port", "0", "--admin-port", "0", "--api-token", "bench"];
    const command = file("../../bin/holdfast");
    return [command, "run", "-f", join(folder, "holdfast.yaml"), ...ports, "--log-level", "warn"];
  },
});
const holdfast = (name: string, policies: string) => holdfastWith(name, [{ name: "echo", path: "/", policies }]);

export const HOLDFAST = holdfast("holdfast", "");
/** Measured against Holdfast itself: what it costs to enforce. */
export const WITH_LIMITS = holdfast("with-limits", LIMITS);

/** A schema, a rule and a transformation that makes the same bytes again, because the peers count bytes. */
const MESSAGES = `
  messages:
    schema:
      inline: '{"type": "object", "required": ["type"], "additionalProperties": false, "properties": {"type": {"enum": ["say", "ping"]}, "body": {"type": "string", "maxLength": 65536}}}'
    allow: ['message.type == "say"']
    transform: {fromClient: '{"type": message.type, "body": message.body}'}`;
/** The same route with every message read. */
export const INSPECTED = holdfast("inspected", MESSAGES);

export const NGINX: Contender = {
  name: "nginx",
  collects: false,
  command: ({ port, backend, folder }) => {
    const configuration = join(folder, "nginx.conf");
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    writeFileSync(
      configuration,
      `worker_processes 1; master_process off; daemon off; pid ${folder}/nginx.pid; error_log stderr error;
events { worker_connections 16384; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${backend};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 1h;
      proxy_buffer_size 64k;
      proxy_buffers 8 64k;
      proxy_busy_buffers_size 128k;
    }
  }
}
`,
    );
    return ["/usr/sbin/nginx", "-p", folder, "-e", "stderr", "-c", configuration];
  },
};

export const HAPROXY: Contender = {
  name: "haproxy",
  collects: false,
  command: ({ port, backend, folder }) => {
    const configuration = join(folder, "haproxy.cfg");
    writeFileSync(
      configuration,
      `global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend ws
  bind 127.0.0.1:${port}
  default_backend echo
backend echo
  server echo 127.0.0.1:${backend}
`,
    );
    return ["/usr/sbin/haproxy", "-db", "-q", "-f", configuration];
  },
};

export const HTTP_PROXY: Contender = {
  name: "http-proxy",
  collects: true,
  command: ({ port, backend }) => [process.execPath, file("http-proxy.ts"), String(port), String(backend)],
};

export interface Running {
  readonly contender: Contender;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts one on the CPU and waits until it accepts connections. */
export async function start(
  contender: Contender,
  where: { backend: number; folder: string; cpu: number },
): Promise<Running> {
  const port = await freePort();
  const folder = join(where.folder, contender.name);
  mkdirSync(folder, { recursive: true });
  const [program, ...args] = pinned(where.cpu, await contender.command({ port, backend: where.backend, folder }));
  const env = contender.collects ? { ...process.env, NODE_OPTIONS: `${QUIET} ${IMPORT_GC}` } : process.env;
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  await eventually(`${contender.name} listens`, () => child.exitCode !== null || accepts(port), 20_000);
  if (child.exitCode !== null || child.pid === undefined) throw new Error(`${contender.name} ended at once`);
  return { contender, port, pid: child.pid, stop: () => stop(child) };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const accepted = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "close").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return accepted;
}

/** Leaves what is alive; what a Node process holds is else mostly debris. */
export async function collectGarbage({ contender, pid }: Running): Promise<void> {
  if (contender.collects) process.kill(pid, "SIGUSR2");
  await sleep(1000);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
