import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { build } from 'esbuild';

/** As strict as policies get; a page that needs more is refused by the browser, and the test fails. */
export const STRICT_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The SDK in a page</title>
<link rel="stylesheet" href="/page.css"><link rel="icon" href="/icon.svg"><script type="module" src="/page.js"></script></head>
<body><main><h1>Sign in</h1><form method="post" action="/login">
<p><label>User <input name="user" data-keyward="user" autocomplete="username webauthn"></label></p>
<p><label>Password <input name="password" type="password" data-keyward="password" autocomplete="current-password"></label></p>
<input name="telemetry" type="hidden"><button>Sign in</button></form>
<p><label>Notes <textarea name="notes" cols="60" rows="4"></textarea></label></p>
<keyward-step-up></keyward-step-up></main></body></html>`;

/** What every WebSocket server adds to the key. */
const RFC_6455 = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A server of one page that uses the SDK as it is published, under a strict policy. */
export class PageServer {
  readonly posted: string[] = [];
  private readonly sockets: Duplex[] = [];

  private constructor(
    readonly server: Server,
    readonly script: string,
  ) {}

  static async start(): Promise<PageServer> {
    const { outputFiles } = await build({
      entryPoints: ['pages/page.ts'],
      bundle: true,
      format: 'esm',
      target: 'es2022',
      write: false,
    });
    const server = createServer();
    const started = new PageServer(server, outputFiles[0]?.text ?? '');
    server.on('request', (request, response) => {
      const answer = (type: string, body: string) =>
        response.writeHead(200, { 'content-type': type, 'content-security-policy': STRICT_CSP }).end(body);
      if (request.method === 'POST') {
        let body = '';
        request.on('data', chunk => {
          body += chunk;
        });
        request.on('end', () => {
          started.posted.push(body);
          answer('text/html', '<!doctype html><html lang="en"><title>Sent</title><main><h1>Sent</h1></main></html>');
        });
      } else if (request.url === '/page.js') answer('text/javascript', started.script);
      else if (request.url === '/page.css') answer('text/css', 'body { font: 1rem system-ui; } textarea, input { max-width: 100%; box-sizing: border-box; }');
      else if (request.url === '/icon.svg') answer('image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>');
      else answer('text/html; charset=utf-8', PAGE);
    });
    // A WebSocket that is opened and never answered: what pages send through it is looked at in the browser.
    server.on('upgrade', (request, socket) => {
      const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${RFC_6455}`).digest('base64');
      const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
      socket.write(`${head.join('\r\n')}\r\n\r\n`);
      started.sockets.push(socket);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  /** Passkeys need a domain, and localhost is one that needs no certificate. */
  get url(): string {
    return `http://localhost:${(this.server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.closeAllConnections();
    await new Promise(resolve => this.server.close(resolve));
  }
}
