import { defineConfig } from 'vite';

// The browser package is built from its source, so that it need not be built first. No inline anything: the pages run under
// `default-src 'self'`.
export default defineConfig({
  resolve: { conditions: ['source', 'module', 'browser', 'production'] },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
