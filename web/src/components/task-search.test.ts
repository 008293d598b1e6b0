import { describe, expect, it } from 'vitest'
import type { Task } from '@/wire'
import { inOrder, matchTasks } from './task-search'

const task = (part: Partial<Task>): Task => ({ tags: [], notes: '', ...part }) as Task
const names = (tasks: readonly Task[]): string[] => tasks.map(({ name }) => name)

describe('the order of an open list', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((id) => task({ id, name: id })) as [Task, Task, Task]

  it('stays when tasks move up, come and go', () => {
    expect(names(inOrder([b, a, c], ['a', 'b']))).toEqual(['a', 'b', 'c'])
    expect(names(inOrder([c, b], ['a', 'b']))).toEqual(['b', 'c'])
  })

  it('shows a task as it stands now', () => {
    const later = { ...b, step: 20 }
    expect(inOrder([later, a], ['a', 'b'])[1]).toBe(later)
  })
})

describe('search', () => {
  const tasks = [
    task({ name: 'tiny-gpt', tags: ['baseline'] }),
    task({ name: '法律问答 LoRA', notes: 'lr 5e-5' }),
    task({ name: 'alpaca-7b' }),
  ]

  it('finds names, tags and notes, whatever the case', () => {
    expect(names(matchTasks(tasks, 'GPT'))).toEqual(['tiny-gpt'])
    expect(names(matchTasks(tasks, 'baseline'))).toEqual(['tiny-gpt'])
    expect(names(matchTasks(tasks, '5e-5'))).toEqual(['法律问答 LoRA'])
  })

  it('takes every word and full-width input', () => {
    expect(names(matchTasks(tasks, '法律 ｌｏｒａ'))).toEqual(['法律问答 LoRA'])
    expect(matchTasks(tasks, '法律 gpt')).toEqual([])
  })

  it('shows all where nothing is typed', () => {
    expect(matchTasks(tasks, '　')).toHaveLength(3)
  })
})
