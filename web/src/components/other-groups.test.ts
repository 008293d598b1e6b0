import { describe, expect, it } from 'vitest'
import type { Metric } from '@/wire'
import { furtherGroups } from './other-groups'

describe('groups of further metrics', () => {
  const metric = (name: string, kind: Metric['kind'] = 'number'): Metric => ({
    name,
    kind,
    count: 1,
    last: 1,
    step: 1,
  })

  it('go by prefix; what has none comes last', () => {
    const groups = furtherGroups([
      metric('loss'),
      metric('eval_loss'),
      metric('entropy'),
      metric('rewards/mean'),
      metric('rewards/accuracy'),
      metric('eval_accuracy'),
      metric('note', 'text'),
      metric('train_runtime'),
    ])
    expect(groups).toEqual([
      { name: 'eval', metrics: ['eval_accuracy'] },
      { name: 'rewards', metrics: ['rewards/accuracy', 'rewards/mean'] },
      { name: '', metrics: ['entropy'] },
    ])
  })
})
