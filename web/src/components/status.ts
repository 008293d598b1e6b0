/** The five looks that a task's status has on screen; `stopping` is drawn as running, because it still runs. */
import type { Status } from '@/wire'

export type StatusLook = 'running' | 'completed' | 'pending' | 'failed' | 'stopped'

/** In the order in which filters list them. */
export const STATUS_LOOKS: readonly StatusLook[] = ['running', 'completed', 'pending', 'failed', 'stopped']

export function statusLook(status: Status): StatusLook {
  return status === 'stopping' ? 'running' : status
}
