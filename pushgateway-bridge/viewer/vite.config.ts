import { defineConfig } from 'vite';

export default defineConfig({
  base: '/dashboard/',
  build: {
    outDir: '../src/pushgateway_bridge/web/viewer',
    emptyOutDir: true,
    // The page's Content-Security-Policy allows files of its own origin and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': process.env['BRIDGE_URL'] ?? 'http://127.0.0.1:10091' },
  },
});
