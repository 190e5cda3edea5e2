// The npm package `http-proxy` as its README starts it for WebSockets: node http-proxy.ts PORT BACKEND_PORT
import { createRequire } from "node:module";

interface HttpProxy {
  createProxyServer(options: { target: string; ws: boolean }): { listen(port: number, host: string): void };
}
const { createProxyServer } = createRequire(import.meta.url)("http-proxy") as HttpProxy;
const [port, backend] = process.argv.slice(2).map(Number);
createProxyServer({ target: `http://127.0.0.1:${backend}`, ws: true }).listen(port ?? 0, "127.0.0.1");
