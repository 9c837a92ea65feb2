import { execFileSync } from 'node:child_process';
import { defineConfig } from '@playwright/test';

// The system's browser: tests bring none of their own.
const chromium = execFileSync('sh', ['-c', 'command -v chromium || command -v chromium-browser'], { encoding: 'utf8' }).trim();

export default defineConfig({
  testDir: '.',
  testMatch: ['sdk/*.spec.ts', 'portal/*.spec.ts'],
  outputDir: 'out/results',
  // Two cores, one of which is for the servers.
  workers: 1,
  timeout: 30_000,
  expect: { timeout: 5_000 },
  reporter: [['list']],
  use: {
    launchOptions: {
      executablePath: chromium,
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
