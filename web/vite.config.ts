/**
 * Builds the page into the Python package, and serves it with hot reload beside a running Stepline.
 *
 * `STEPLINE_URL` is the line that `stepline serve` prints, token and all; the development server hands the token on as the
 * programs do, because the cookie belongs to the other port.
 */
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const backend = new URL(process.env.STEPLINE_URL ?? 'http://127.0.0.1:8765/')
const token = backend.searchParams.get('token')
const headers: Record<string, string> = { origin: backend.origin }
if (token) headers.authorization = `Bearer ${token}`

/** Names the packages whose code is in the page, one a line: whose licences go with it (build/licences.py). */
function packages(): Plugin {
  return {
    name: 'packages',
    generateBundle(_, bundle) {
      const used = new Set<string>()
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue
        for (const [id, { renderedLength }] of Object.entries(chunk.modules)) {
          const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1]
          if (name !== undefined && renderedLength > 0) used.add(name)
        }
      }
      this.emitFile({ type: 'asset', fileName: 'packages.txt', source: [...used].sort().join('\n') + '\n' })
    },
  }
}

/** Has the components fetched and compiled along with the page, though they are run later (src/main.ts). */
function preloaded(): Plugin {
  return {
    name: 'preloaded',
    transformIndexHtml(_, { bundle }) {
      const later = Object.values(bundle ?? {}).filter((chunk) => chunk.type === 'chunk' && chunk.isDynamicEntry)
      return later.map(({ fileName }) => ({
        injectTo: 'head' as const,
        tag: 'link',
        attrs: { rel: 'modulepreload', href: `./${fileName}` },
      }))
    },
  }
}

export default defineConfig({
  base: './',
  plugins: [vue(), packages(), preloaded()],
  define: {
    __VUE_OPTIONS_API__: 'true',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../backend/stepline/web_dist',
    emptyOutDir: true,
    target: ['chrome109', 'safari16'],
    // One file for all of the page: a part's styles would be waited for when its script comes.
    cssCodeSplit: false,
    // ECharts alone is 480 kB; the page comes from this machine, so that one file costs nothing.
    chunkSizeWarningLimit: 1500,
  },
  server: {
    proxy: { '/api': { target: backend.origin, changeOrigin: true, ws: true, headers } },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    restoreMocks: true,
  },
})
