/** Where `/` leads: each page says which field it is while it is shown. */
import { onScopeDispose, watch, type WatchSource } from 'vue'

let target: (() => void) | null = null

export function focusSearch(): void {
  target?.()
}

export function useSearchKey(focus: () => void, shown: WatchSource<boolean>): void {
  watch(
    shown,
    (now) => {
      if (now) target = focus
      else if (target === focus) target = null
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    if (target === focus) target = null
  })
}
