import { ref, shallowRef } from 'vue'
import { describe, expect, it } from 'vitest'
import type { Task } from '@/wire'
import { keepTaskRows } from './task-rows'

const task = (id: string, updated: number, status: Task['status'] = 'running'): Task =>
  ({ id, name: id, updated, status, tags: [], notes: '' }) as unknown as Task

describe('rows of the table', () => {
  const tasks = shallowRef([task('a', 1), task('b', 2), task('c', 3, 'failed')])
  const pointed = ref(false)
  const rows = keepTaskRows(() => tasks.value, pointed)
  const shown = (): string[] => rows.shown.value.map(({ id }) => id)

  it('stand still while they are pointed at, and tell what is new', () => {
    expect(shown()).toEqual(['c', 'b', 'a'])
    pointed.value = true
    tasks.value = [task('a', 4), task('b', 2), task('d', 5)]
    expect(shown()).toEqual(['b', 'a', 'd'])
    expect(rows.shown.value[1]!.updated).toBe(4)
    pointed.value = false
    expect(shown()).toEqual(['d', 'a', 'b'])
  })

  it('are placed anew by a sort or a filter, pointed at or not', () => {
    pointed.value = true
    rows.sort.value = { column: 'name', down: false }
    expect(shown()).toEqual(['a', 'b', 'd'])
    rows.text.value = 'd'
    expect(shown()).toEqual(['d'])
  })
})
