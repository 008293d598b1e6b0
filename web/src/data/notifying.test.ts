import { describe, expect, it } from 'vitest'
import type { Status, Task } from '../wire'
import { endedBetween } from './notifying'

const task = (id: string, status: Status): Task => ({ id, status }) as Task

describe('tasks that ended', () => {
  it('are those that trained before', () => {
    const before = [task('a', 'running'), task('b', 'completed'), task('c', 'stopping'), task('d', 'running')]
    const after = [task('a', 'failed'), task('b', 'completed'), task('c', 'stopped'), task('d', 'running')]
    expect(endedBetween(before, after).map(({ id }) => id)).toEqual(['a', 'c'])
  })

  it('are not those that were not known', () => {
    expect(endedBetween([], [task('a', 'completed')])).toEqual([])
  })
})
