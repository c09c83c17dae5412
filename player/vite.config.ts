import { defineConfig } from 'vite';

/** `vite build` → dist/, served by the one process at `/`; `vite dev` talks to a server that runs beside it. */
export default defineConfig({
  base: '/',
  build: { outDir: 'dist', emptyOutDir: true, target: 'es2022', sourcemap: false, chunkSizeWarningLimit: 900 },
  server: { proxy: { '/v1': { target: 'http://127.0.0.1:4750', ws: true } } },
});
