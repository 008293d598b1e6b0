/** Which charts stand in which fold: the manual's four under "Other charts", any further metric by the prefix of its name. */
import { MAIN_METRICS, OTHER_METRICS } from '@/data/metrics'
import type { Metric } from '@/wire'

export interface ChartGroup {
  /** The prefix before the first slash; empty for metrics without one. */
  name: string
  metrics: string[]
}

const SHOWN: readonly string[] = [...MAIN_METRICS, ...OTHER_METRICS]

/** What the trainer sums up once, at a run's end: figures of the log's last line, no curves. */
const CLOSING: readonly string[] = [
  'train_loss',
  'train_runtime',
  'train_samples_per_second',
  'train_steps_per_second',
  'total_flos',
]

export function furtherGroups(metrics: readonly Metric[]): ChartGroup[] {
  const groups = new Map<string, string[]>()
  for (const { name, kind } of metrics) {
    if (kind !== 'number' || SHOWN.includes(name) || CLOSING.includes(name)) continue
    const slash = name.indexOf('/')
    // The trainer's own prefixes have an underscore; a slash is what other loops and loggers write.
    const prefix = slash > 0 ? name.slice(0, slash) : (/^(eval|train|test)(?=_)/.exec(name)?.[0] ?? '')
    groups.set(prefix, [...(groups.get(prefix) ?? []), name])
  }
  return [...groups]
    .map(([name, names]) => ({ name, metrics: names.sort() }))
    .sort((a, b) => Number(a.name === '') - Number(b.name === '') || a.name.localeCompare(b.name))
}
