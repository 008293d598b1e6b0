/**
 * The charts' keys, from anywhere on the page: F follows the newest point again, Esc goes back to what was shown before.
 *
 * Not while someone types, and not where something that floats takes the key for itself.
 */
import { useEventListener } from '@vueuse/core'
import { useSession } from '@/data/session'

export function useChartKeys(): void {
  const { view } = useSession()
  useEventListener(window, 'keydown', (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return
    if (event.key === 'f' || event.key === 'F') view.followAgain()
    else if (event.key === 'Escape' && view.canGoBack.value) view.back()
    else return
    event.preventDefault()
  })
}

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName)
    ? !(target instanceof HTMLInputElement && ['range', 'checkbox', 'radio'].includes(target.type))
    : target.closest('[role="dialog"],[role="listbox"],[role="menu"]') !== null
}
