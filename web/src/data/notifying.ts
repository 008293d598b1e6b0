/**
 * Tells through the system when a training ends while the page is not in front. Off until the person wants it: the browser
 * asks for its own permission then, and only a click may make it ask.
 */
import { watch } from 'vue'
import type { Status, Task } from '../wire'

const ENDED: readonly Status[] = ['completed', 'stopped', 'failed']

export const canNotify = (): boolean => 'Notification' in window

/** Whether the system lets this page notify, after asking where that was not answered yet. */
export async function mayNotify(): Promise<boolean> {
  if (!canNotify()) return false
  return (await Notification.requestPermission()) === 'granted'
}

/** Tasks that ended between two lists. One that was not known before has not ended before our eyes. */
export function endedBetween(before: readonly Task[], after: readonly Task[]): Task[] {
  const statuses = new Map(before.map((task) => [task.id, task.status]))
  return after.filter((task) => {
    const was = statuses.get(task.id)
    return was !== undefined && !ENDED.includes(was) && ENDED.includes(task.status)
  })
}

export function notifyEnds(tasks: () => Task[], wanted: () => boolean, words: (task: Task) => string): void {
  watch(tasks, (after, before) => {
    if (!wanted() || !canNotify() || document.visibilityState === 'visible') return
    if (Notification.permission !== 'granted') return
    for (const task of endedBetween(before, after)) new Notification('Stepline', { body: words(task), tag: task.id })
  })
}
