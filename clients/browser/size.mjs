// What the collector costs a page: its bundle, minified and compressed, by itself.
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const LIMIT = 10_000;
const entries = ['collect', 'prompt', 'step-up'];

async function gzipBytes(entry) {
  const { outputFiles } = await build({
    entryPoints: [`src/${entry}/index.ts`],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

for (const entry of entries) {
  const bytes = await gzipBytes(entry);
  console.log(`${entry}: ${bytes} bytes gzip${entry === 'collect' ? ` (limit ${LIMIT})` : ''}`);
  if (entry === 'collect' && bytes >= LIMIT) process.exitCode = 1;
}
