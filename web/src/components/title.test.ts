import { describe, expect, it } from 'vitest'
import type { Task } from '@/wire'
import { pageTitle } from './title'

const task = (part: Partial<Task>): Task =>
  ({ name: 'pilot', status: 'running', step: 1, total_steps: 4, ...part }) as Task
const title = (part: Partial<Task>) => pageTitle(task(part))

describe('the title', () => {
  it('says how far a training is', () => {
    expect(title({})).toBe('25 % · pilot · Stepline')
    expect(title({ step: 9 })).toBe('100 % · pilot · Stepline')
  })

  it('leaves out what is not known, or over', () => {
    expect(title({ total_steps: null })).toBe('pilot · Stepline')
    expect(title({ step: null })).toBe('pilot · Stepline')
    expect(title({ status: 'completed' })).toBe('pilot · Stepline')
  })

  it('is the program’s where no task is looked at', () => {
    expect(pageTitle(null)).toBe('Stepline')
  })
})
