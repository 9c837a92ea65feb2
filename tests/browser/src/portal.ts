import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve('../..');
const RELEASE = join(process.env['CARGO_TARGET_DIR'] ?? join(ROOT, 'target'), 'release');
const PAGES = join(ROOT, 'services/portal/web/dist');
const START_MS = 60_000;
/** A level that nobody runs in production, for those who search what is logged. */
const TALKATIVE = 'debug,h2=info,hyper=info';

/** The password of everybody at the demonstration clinic: the text of the CMU recordings. */
export const PASSWORD = '.tie5Roanl';

/** A program that the tests started, with everything that it printed. */
class Program {
  log = '';
  private ended: Promise<unknown>;

  private constructor(
    readonly name: string,
    readonly child: ChildProcess,
  ) {
    const keep = (chunk: Buffer) => {
      this.log += chunk.toString();
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    // A test that fails half-way leaves no server behind.
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    this.ended = new Promise(resolve => child.once('exit', resolve)).then(() => process.off('exit', kill));
  }

  static start(name: string, args: string[], env: NodeJS.ProcessEnv = {}): Program {
    const child = spawn(join(RELEASE, name), args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    child.once('error', error => {
      throw error;
    });
    return new Program(name, child);
  }

  /** Waits for a line, and gives what it has in parentheses. */
  async says(line: RegExp): Promise<string> {
    const until = Date.now() + START_MS;
    for (;;) {
      const said = line.exec(this.log)?.[1];
      if (said) return said;
      if (Date.now() > until || this.child.exitCode !== null) throw new Error(`${this.name} did not start:\n${this.log}`);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode === null) this.child.kill(signal);
    await this.ended;
  }
}

/** keyward and the portal, each in a process of its own, on free ports, with their data in a temporary folder. */
export class Clinic {
  private constructor(
    readonly folder: string,
    readonly portal: Program,
    private keyward: Program,
    readonly url: string,
    readonly keywardAddress: string,
  ) {}

  /** Opens one; `rehearsed`, with colleagues in its log who never were, and `asInProduction`, with no more logged than there. */
  static async open({ rehearsed = false, asInProduction = false } = {}): Promise<Clinic> {
    const folder = mkdtempSync(join(tmpdir(), 'keyward-browser-'));
    const env = asInProduction ? {} : { RUST_LOG: TALKATIVE };
    const keyward = startKeyward(folder, '127.0.0.1:0', env);
    const address = await keyward.says(/gRPC\s+(\S+)/);
    const args = ['--listen', '127.0.0.1:0', '--keyward', `http://${address}`, '--pages', PAGES];
    if (rehearsed) args.push('--rehearse');
    const portal = Program.start('keyward-portal', args, env);
    const url = await portal.says(/open at (\S+)/);
    return new Clinic(folder, portal, keyward, url, address);
  }

  /** What both programs printed. */
  get logs(): string {
    return this.portal.log + this.keyward.log;
  }

  /** The code for somebody's first passkey, as an administrator would hand it over. */
  async code(person: string): Promise<string> {
    const visit = (await (await fetch(`${this.url}/api/visit`)).json()) as { demo: { people: { id: string; code: string }[] } };
    return visit.demo.people.find(({ id }) => id === person)?.code ?? '';
  }

  /** Takes keyward away without a word. */
  async killKeyward(): Promise<void> {
    await this.keyward.stop('SIGKILL');
  }

  /** Starts it again, at the same address and on the same data. */
  async reviveKeyward(): Promise<void> {
    const before = this.keyward.log;
    this.keyward = startKeyward(this.folder, this.keywardAddress);
    this.keyward.log = before;
    await this.keyward.says(new RegExp(`gRPC\\s+(${this.keywardAddress})[^]*gRPC\\s+${this.keywardAddress}`));
  }

  async close(): Promise<void> {
    await this.portal.stop();
    await this.keyward.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function startKeyward(folder: string, listen: string, env: NodeJS.ProcessEnv = { RUST_LOG: TALKATIVE }): Program {
  const policy = join(folder, 'policy.cedar');
  const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
  const cedar = read('crates/policy/policies/telemedicine.cedar') + read('services/portal/policy/st-mary.cedar');
  writeFileSync(policy, cedar);
  const settings = {
    'store.data_dir': join(folder, 'data'),
    'policy.file': policy,
    'passkeys.rp_id': 'localhost',
    'passkeys.origins': '["http://localhost"]',
    'http.enabled': 'false',
    'server.shutdown_notice_ms': '0',
  };
  const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return Program.start('keyward', ['serve', '--listen', listen, ...set], env);
}
