import { defineConfig } from 'vite';

export default defineConfig({
  base: '/dashboard/',
  build: {
    outDir: '../src/pushgateway_bridge/web/viewer',
    emptyOutDir: true,
    // The pages' Content-Security-Policy allows files of their own origin and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: false,
    // Swagger UI is one file of 1.7 MB; only the API page loads it.
    chunkSizeWarningLimit: 2000,
    rolldownOptions: { input: ['index.html', 'docs.html'] },
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': process.env['BRIDGE_URL'] ?? 'http://127.0.0.1:10091' },
  },
});
