/** The axes a person chooses from, in this order; the tokens axis only where the training counted tokens. */
import type { Axis, TaskDetail } from '@/wire'

const ALWAYS: readonly Axis[] = ['sequence', 'step', 'epoch', 'time', 'relative']

export function axesOf(detail: TaskDetail | null): readonly Axis[] {
  const counted = detail?.metrics.some(({ name }) => name === 'num_input_tokens_seen') ?? false
  return counted ? [...ALWAYS, 'tokens'] : ALWAYS
}
