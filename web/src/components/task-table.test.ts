import { describe, expect, it } from 'vitest'
import type { Task } from '@/wire'
import { COLUMNS, sortTasks } from './task-table'

const task = (part: Partial<Task>): Task => ({ tags: [], notes: '', ...part }) as Task
const names = (tasks: readonly Task[]): string[] => tasks.map(({ name }) => name)

describe('sort', () => {
  const tasks = [
    task({ name: 'b10', last_loss: 2, updated: 3 }),
    task({ name: 'b2', last_loss: 'NaN', updated: 1 }),
    task({ name: 'a', last_loss: 1, updated: null }),
  ]

  it('puts what is not known last, whichever way', () => {
    expect(names(sortTasks(tasks, 'lastLoss', false))).toEqual(['a', 'b10', 'b2'])
    expect(names(sortTasks(tasks, 'lastLoss', true))).toEqual(['b10', 'a', 'b2'])
    expect(names(sortTasks(tasks, 'updated', true))).toEqual(['b10', 'b2', 'a'])
  })

  it('reads numbers in names', () => {
    expect(names(sortTasks(tasks, 'name', false))).toEqual(['a', 'b2', 'b10'])
  })

  it('leaves the list as it was', () => {
    const before = [...tasks]
    for (const column of COLUMNS) sortTasks(tasks, column, true)
    expect(tasks).toEqual(before)
  })
})
