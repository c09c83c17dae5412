import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/** One classic script, everything inside: a page needs one script tag and no module support of its own. */
export default defineConfig({
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    sourcemap: true,
    // rrweb carries postcss for its replayer and reads properties of it at load. Reading them does nothing, so recording can leave it out: a third of the file.
    rolldownOptions: { treeshake: { propertyReadSideEffects: false, manualPureFunctions: ['__commonJSMin', '__commonJSMin$1'] } },
    lib: {
      entry: fileURLToPath(new URL('./src/index.ts', import.meta.url)),
      formats: ['iife'],
      name: 'playheadRecorder',
      fileName: () => 'recorder.js',
    },
  },
});
