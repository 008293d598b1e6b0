/**
 * What the window around the page asks of it. The window leaves its wishes in `stepline.asked` and fires `stepline-asked`;
 * so one that comes before the page stands is not lost.
 */
import { useEventListener } from '@vueuse/core'
import { open } from '@/pages/open'
import { PAGES, usePage, type Page } from '@/pages/route'
import type { TakenIn } from '@/wire'
import { useImports } from './imports'

/** Sent by the window's menu: a file dialog opens for what a person does, so not for a wish that a script brings. */
const IMPORT_KEY = 'F20'

type Asked = { taken: TakenIn } | { action: 'import' | 'help' } | { page: Page }

declare global {
  interface Window {
    stepline?: { asked: Asked[] }
  }
}

export function useDesktop(): void {
  const { choose, tell } = useImports()
  const page = usePage()

  function serve(asked: Asked): void {
    if ('taken' in asked) void tell(asked.taken)
    else if ('page' in asked) page.value = PAGES.find((each) => each === asked.page) ?? page.value
    else if (asked.action === 'import') choose()
    else open.help = true
  }

  function serveAll(): void {
    window.stepline?.asked.splice(0).forEach(serve)
  }

  useEventListener(window, 'stepline-asked', serveAll)
  useEventListener(window, 'keydown', ({ key }) => {
    if (key === IMPORT_KEY) choose()
  })
  serveAll()
}
