/** Short words about what the person just did, at the page's foot: said once, gone after a few seconds. */
import { ref } from 'vue'
import { errorBody } from '@/data/api'
import type { ErrorBody } from '@/wire'

const SHOWN_MS = 6000

export interface Notice {
  text: string
  /** What went wrong, why, and what to do; stays until closed. */
  error: ErrorBody | null
  action?: NoticeAction | undefined
}

export interface NoticeAction {
  label: string
  act: () => void
}

export const notice = ref<Notice | null>(null)
let timer: ReturnType<typeof setTimeout> | null = null

export function dismissNotice(): void {
  if (timer !== null) clearTimeout(timer)
  notice.value = null
}

/** `action` is one thing that can be done about it, such as taking it back; it is offered a little longer. */
export function say(text: string, action?: NoticeAction): void {
  dismissNotice()
  notice.value = { text, error: null, action }
  timer = setTimeout(dismissNotice, action ? 2 * SHOWN_MS : SHOWN_MS)
}

export function sayError(text: string, failure: unknown): void {
  dismissNotice()
  notice.value = { text, error: errorBody(failure) }
}
