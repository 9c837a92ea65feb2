// Bundles each entry of the exports map on its own, as ES modules that share what they have in common.
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: {
    index: 'src/index.ts',
    collect: 'src/collect/index.ts',
    prompt: 'src/prompt/index.ts',
    'step-up': 'src/step-up/index.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  sourcemap: true,
  chunkNames: 'shared/[name]-[hash]',
});
