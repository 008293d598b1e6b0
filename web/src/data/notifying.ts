/**
 * Tells through the browser what happens to trainings while the page is not in front: one that ended or failed, and, of the
 * task that is looked at, a stall or a finding. The browser has to allow it, and only a click may make it ask. In Stepline's
 * own window nothing is told here: the window does that through the desktop, for all tasks.
 */
import { watch } from 'vue'
import type { Finding, Status, Task, TaskDetail } from '../wire'

export const NOTIFY_KINDS = ['ended', 'failed', 'stalled', 'finding'] as const
export type NotifyKind = (typeof NOTIFY_KINDS)[number]

const ENDED: readonly Status[] = ['completed', 'stopped', 'failed']

/** Whether this page is in Stepline's window; it is known once the page has loaded. */
export const inWindow = (): boolean => 'pywebview' in window

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

/** Findings of a task that came between two looks at it; none where the task is another one. */
export function foundBetween(before: TaskDetail | null, after: TaskDetail | null): Finding[] {
  if (before === null || after === null || before.task.id !== after.task.id) return []
  const known = new Set(before.findings.map(({ id }) => id))
  return after.findings.filter(
    ({ id, last_sequence: last, rule }) => !known.has(id) && (rule === 'stall' || last >= before.cursor),
  )
}

export interface Told {
  tasks: () => Task[]
  detail: () => TaskDetail | null
  wanted: (kind: NotifyKind) => boolean
  ended: (task: Task) => string
  found: (task: Task, finding: Finding) => string
}

export function notify(told: Told): void {
  function tell(kind: NotifyKind, body: string, tag: string): void {
    if (!told.wanted(kind) || inWindow() || !canNotify() || document.visibilityState === 'visible') return
    if (Notification.permission === 'granted') new Notification('Stepline', { body, tag })
  }
  watch(told.tasks, (after, before) => {
    for (const task of endedBetween(before, after)) {
      tell(task.status === 'failed' ? 'failed' : 'ended', told.ended(task), task.id)
    }
  })
  watch(told.detail, (after, before) => {
    for (const finding of foundBetween(before, after)) {
      tell(finding.rule === 'stall' ? 'stalled' : 'finding', told.found(after!.task, finding), finding.id)
    }
  })
}
