// @vitest-environment node
import { expect, it } from 'vitest'
import { axisTicks } from './axes'
import { series } from './plan-input'

it('writes out no more steps than are in view, however long the history', () => {
  const points = Array.from({ length: 4000 }, (_, at): [number, number, number] => [at * 2.5e6, at * 2.5e6, 1])
  const long = series({ from: 0, to: 1e10, bucket: 2.5e6, series: { loss: [{ run: 1, points }] } })
  const view = { first: 5e9 + 100, last: 5e9 + 140 }
  const query = {
    axis: 'sequence' as const,
    view,
    series: long,
    runs: [],
    widthPx: 700,
    small: false,
    language: 'en' as const,
  }
  expect(axisTicks(query).map((tick) => tick.x - 5e9)).toEqual([100, 110, 120, 130, 140])
})
