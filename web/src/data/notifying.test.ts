import { describe, expect, it } from 'vitest'
import type { Finding, Status, Task, TaskDetail } from '../wire'
import { endedBetween, foundBetween } from './notifying'

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

describe('findings that came', () => {
  const finding = (id: string, last: number, rule = 'masked_nan') => ({ id, rule, last_sequence: last }) as Finding
  const detail = (name: string, cursor: number, ...findings: Finding[]) =>
    ({ task: task(name, 'running'), cursor, findings }) as TaskDetail

  it('are those of new records, and every stall', () => {
    const before = detail('a', 10, finding('known', 4))
    const after = detail('a', 12, finding('known', 4), finding('late', 3), finding('new', 11), finding('s', 9, 'stall'))
    expect(foundBetween(before, after).map(({ id }) => id)).toEqual(['new', 's'])
  })

  it('are none where another task is looked at', () => {
    expect(foundBetween(detail('a', 10), detail('b', 12, finding('x', 11)))).toEqual([])
    expect(foundBetween(null, detail('b', 12, finding('x', 11)))).toEqual([])
  })
})
