/** The axes a person chooses from, in this order; the tokens axis only where the training counted tokens. */
import type { Axis, TaskDetail } from '@/wire'

/** As the server knows them: `TOKEN_METRICS` in backend/stepline/history/axes.py. */
const TOKEN_METRICS: readonly string[] = ['num_input_tokens_seen', 'total_tokens', 'num_tokens', 'tokens']
const ALWAYS: readonly Axis[] = ['sequence', 'step', 'epoch', 'time', 'relative']

export function axesOf(detail: TaskDetail | null): readonly Axis[] {
  const counted = detail?.metrics.some(({ name }) => TOKEN_METRICS.includes(name)) ?? false
  return counted ? [...ALWAYS, 'tokens'] : ALWAYS
}
