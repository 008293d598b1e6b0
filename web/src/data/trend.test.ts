// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { decodeFrame } from './frame'
import { writeFrame, writtenRun } from './frame-writing'
import { latestOf, trendOf } from './trend'

const noise = (at: number) => Math.sin(at * 12.9898) * 0.05

describe('the trend', () => {
  it('is where the last stretch goes, not the last two points', () => {
    const falling = Float64Array.from({ length: 300 }, (_, at) => 5 - at * 0.01 + noise(at))
    expect(trendOf(falling)).toBe('falling')
    expect(trendOf(falling.toReversed())).toBe('rising')
    expect(trendOf(Float64Array.from({ length: 300 }, (_, at) => 3 + noise(at)))).toBe('steady')
    expect(trendOf(Float64Array.from({ length: 100 }, () => 0))).toBe('steady')
  })

  it('is not told of too few points', () => {
    expect(trendOf(Float64Array.of(3, 2, 1))).toBeNull()
  })
})

describe('the latest value', () => {
  const latest = (name: string, values: number[], smooth: number[]) => {
    const line = { ...writtenRun(1, 0, values), smooth }
    return latestOf(decodeFrame(writeFrame({ from: 0, to: values.length, series: { [name]: [line] } })).series[0])
  }

  it('is smoothed where that means something', () => {
    expect(latest('loss', [3, 2], [3, 2.5])).toMatchObject({ value: 2.5, raw: 2, step: 20 })
    expect(latest('learning_rate', [3, 2], [3, 2.5])).toMatchObject({ value: 2, raw: 2 })
  })

  it('is the last finite one, with what was logged beside it', () => {
    expect(latest('loss', [3, NaN], [3, NaN])).toMatchObject({ value: 3, raw: NaN, step: 20 })
    expect(latestOf(undefined)).toBeNull()
  })
})
