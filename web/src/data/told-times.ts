/**
 * Whether a run's times are its own. A source that tells none (a table, a state rebuilt from checkpoints) gets its file's
 * date at every record, its first and its last alike; a training cannot do that.
 */
import type { Run, TaskDetail } from '@/wire'

const told = (run: Run): boolean => run.records < 2 || run.ended === null || run.ended > run.started

/** Run numbers whose times say nothing. */
export function timelessRuns(detail: TaskDetail | null): ReadonlySet<number> {
  return new Set((detail?.runs ?? []).filter((run) => !told(run)).map(({ number }) => number))
}
