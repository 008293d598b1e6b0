/** Which page is shown: kept in the address after `#`, so that back, forward and a reload find it again. */
import { computed, type WritableComputedRef } from 'vue'
import { createSharedComposable, useEventListener } from '@vueuse/core'
import { ref } from 'vue'

export const PAGES = ['monitor', 'tasks', 'settings'] as const
export type Page = (typeof PAGES)[number]

function pageOf(hash: string): Page {
  const name = hash.replace(/^#\/?/, '')
  return PAGES.find((page) => page === name) ?? 'monitor'
}

export const usePage = createSharedComposable((): WritableComputedRef<Page> => {
  const shown = ref(pageOf(location.hash))
  useEventListener(window, 'hashchange', () => (shown.value = pageOf(location.hash)))
  return computed({
    get: () => shown.value,
    set: (page) => {
      shown.value = page
      location.hash = page === 'monitor' ? '#/' : `#/${page}`
    },
  })
})
