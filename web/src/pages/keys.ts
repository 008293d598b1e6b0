/**
 * The page's keys, from anywhere but a text field or an open popover. The help sheet lists them from here.
 *
 * Those of the charts (follow, back, crosshair) are the charts' own: `charts/keys.ts`, `charts/ChartPane.vue`.
 */
import { useEventListener } from '@vueuse/core'
import { useChartKeys } from '@/charts'
import { axesOf } from '@/components/axes'
import { useSession } from '@/data/session'
import { open } from './open'
import { PAGES, usePage } from './route'
import { focusSearch } from './search-key'

export const KEYS = [
  { name: 'help', keys: ['?'] },
  { name: 'tasks', keys: ['T'] },
  { name: 'pages', keys: ['1', '2', '3'] },
  { name: 'search', keys: ['/'] },
  { name: 'follow', keys: ['F'] },
  { name: 'back', keys: ['Esc'] },
  { name: 'brush', keys: ['drag'] },
  { name: 'wheel', keys: ['wheel'] },
  { name: 'pan', keys: ['Shift', 'wheel'] },
  { name: 'whole', keys: ['doubleClick'] },
  { name: 'line', keys: ['click'] },
  { name: 'crosshair', keys: ['←', '→'] },
  { name: 'other', keys: ['O'] },
  { name: 'range', keys: ['W'] },
  { name: 'axis', keys: ['A'] },
  { name: 'rows', keys: ['↑', '↓'] },
] as const

/** What is done with the pointer: the words for it are in the catalogues. */
export const GESTURES: readonly string[] = ['drag', 'wheel', 'click', 'doubleClick']

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

/** A hint floats too, but nobody is in it. */
const covered = (): boolean =>
  document.querySelector('[data-dismissable-layer]:not(.hint), [role="alertdialog"]') !== null

export function useKeys(): void {
  useChartKeys()
  const session = useSession()
  const page = usePage()
  const { settings } = session

  function nextAxis(): void {
    const axes = axesOf(session.detail.value)
    settings.axis = axes[(axes.indexOf(settings.axis) + 1) % axes.length]!
  }

  const actions: Record<string, () => void> = {
    '?': () => (open.help = true),
    t: () => (open.selector = session.tasks.value.length > 0),
    '/': focusSearch,
    o: () => (settings.othersOpen = !settings.othersOpen),
    w: () => (settings.range = settings.range === 'whole' ? 'latest' : 'whole'),
    a: nextAxis,
  }
  PAGES.forEach((name, place) => (actions[String(place + 1)] = () => (page.value = name)))

  useEventListener(window, 'keydown', (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    if (typing(event.target) || covered()) return
    const action = actions[event.key.toLowerCase()]
    if (!action) return
    event.preventDefault()
    action()
  })
}
