import { expect, it } from 'vitest'
import type { TaskDetail } from '../wire'
import { timelessRuns } from './told-times'

it('knows the runs whose records all bear one time', () => {
  const runs = [
    { number: 1, records: 9, started: 5, ended: 5 },
    { number: 2, records: 9, started: 5, ended: 6 },
    { number: 3, records: 9, started: 5, ended: null },
    { number: 4, records: 1, started: 5, ended: 5 },
  ]
  expect([...timelessRuns({ runs } as TaskDetail)]).toEqual([1])
  expect([...timelessRuns(null)]).toEqual([])
})
