import { describe, expect, it } from 'vitest'
import type { LogRow } from '@/wire'
import { filterRows, kindsOf } from './log-filter'

const base = { run: 1, epoch: null, time: 0, status: null, masked: false }
const rows: LogRow[] = [
  { ...base, sequence: 3, step: 40, kind: 'message', metrics: {}, message: '已替换数据 ABC' },
  { ...base, sequence: 2, step: 30, kind: 'evaluation', metrics: { eval_loss: 2.5 }, message: null },
  { ...base, sequence: 1, step: 30, kind: 'step', metrics: { loss: 'NaN' }, message: null },
  { ...base, sequence: 0, step: null, kind: 'train_start', metrics: {}, message: null },
]
const found = (...args: [choice: Parameters<typeof filterRows>[1], search: string]): number[] =>
  filterRows(rows, ...args).map(({ sequence }) => sequence)

describe('filter', () => {
  it('shows all where nothing is asked', () => {
    expect(filterRows(rows, 'all', '  ')).toBe(rows)
  })

  it('goes by type', () => {
    expect(found('evaluation', '')).toEqual([2])
    expect(found('ends', '')).toEqual([0])
    expect(kindsOf('all')).toEqual([])
  })

  it('finds steps, values, metric names and words', () => {
    expect(found('all', '30')).toEqual([2, 1])
    expect(found('all', 'nan')).toEqual([1])
    expect(found('all', 'eval_loss')).toEqual([2])
    expect(found('all', '替换')).toEqual([3])
  })

  it('takes full-width letters as plain ones', () => {
    expect(found('all', 'ＡＢＣ')).toEqual([3])
  })

  it('joins type and search', () => {
    expect(found('step', '30')).toEqual([1])
  })
})
