import { describe, expect, it } from 'vitest'
import type { Metric, TaskDetail } from '@/wire'
import { axesOf } from './axes'

describe('axes', () => {
  it('offer tokens only where they were counted', () => {
    const metrics = [{ name: 'num_input_tokens_seen' }]
    expect(axesOf({ metrics } as TaskDetail)).toContain('tokens')
    expect(axesOf({ metrics: [] as Metric[] } as TaskDetail)).not.toContain('tokens')
    expect(axesOf(null)[0]).toBe('sequence')
  })
})
