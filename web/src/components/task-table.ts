/** The columns of the table of tasks and how each sorts; what is not known stands last, whichever way. */
import { toNumber } from '@/data/figures'
import type { Task } from '@/wire'
import { STATUS_LOOKS, statusLook } from './status'

export const COLUMNS = [
  'name',
  'status',
  'runs',
  'steps',
  'lastLoss',
  'bestLoss',
  'bestEvaluation',
  'duration',
  'disk',
  'updated',
] as const
export type Column = (typeof COLUMNS)[number]

const VALUES: Record<Exclude<Column, 'name'>, (task: Task) => number> = {
  status: (task) => -STATUS_LOOKS.indexOf(statusLook(task.status)),
  runs: (task) => task.runs,
  steps: (task) => task.step ?? NaN,
  lastLoss: (task) => toNumber(task.last_loss),
  bestLoss: (task) => toNumber(task.best_loss),
  bestEvaluation: (task) => toNumber(task.best_evaluation),
  duration: (task) => task.duration_secs,
  disk: (task) => task.bytes,
  updated: (task) => task.updated ?? NaN,
}

const byName = new Intl.Collator('zh-CN', { numeric: true, sensitivity: 'base' })

export function sortTasks(tasks: readonly Task[], column: Column, down: boolean): Task[] {
  const way = down ? -1 : 1
  if (column === 'name') return [...tasks].sort((a, b) => way * byName.compare(a.name, b.name))
  const value = VALUES[column]
  return [...tasks].sort((a, b) => {
    const [x, y] = [value(a), value(b)]
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y))
    return way * (x - y)
  })
}
