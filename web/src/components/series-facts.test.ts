import { describe, expect, it } from 'vitest'
import { Column, type Line, type SeriesFrame } from '@/data/frame'
import { bestPoint } from './series-facts'

const column = (values: number[]): Column => new Column(Float64Array.from(values))

function line(run: number, values: number[], smooth: number[] | null = null): Line {
  const steps = values.map((_, place) => (place + 1) * 10)
  const raw = {
    sequence: column(steps),
    x: column(steps),
    step: column(steps),
    time: column(steps),
    value: column(values),
  }
  return { run, raw, smooth: smooth && { ...raw, value: column(smooth) }, supersededFrom: null } as Line
}
const series = (...lines: Line[]): SeriesFrame => ({ lines }) as SeriesFrame

describe('best point', () => {
  it('is the lowest finite value, with its step and run', () => {
    expect(bestPoint(series(line(1, [3, NaN, 2]), line(2, [4, 1.5, 1.6])))).toEqual({ value: 1.5, step: 20, run: 2 })
  })

  it('is none where no value is finite', () => {
    expect(bestPoint(series(line(1, [NaN, Infinity])))?.value).toBeUndefined()
    expect(bestPoint(undefined)).toBeNull()
  })
})
