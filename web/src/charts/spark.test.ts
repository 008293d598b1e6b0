// @vitest-environment node
import { expect, it } from 'vitest'
import { series } from './plan-input'
import { sparkPath } from './spark'
import { writtenRun } from '@/data/frame-writing'
import { metricKind } from '@/data/metrics'

const path = (values: number[], name = 'loss') =>
  sparkPath(
    series({ from: 0, to: values.length, series: { [name]: [writtenRun(1, 0, values)] } }),
    metricKind(name),
    100,
    32,
    'newest',
  )
const points = (of: string) =>
  of
    .split(/[ML]/)
    .slice(1)
    .map((one) => one.split(' ').map(Number) as [number, number])

it('fills its box from the first point to the last', () => {
  const drawn = points(path([1, 3, 2])!)
  expect(drawn.map(([x]) => x)).toEqual([0, 50, 100])
  expect(Math.min(...drawn.map(([, y]) => y))).toBe(0)
  expect(Math.max(...drawn.map(([, y]) => y))).toBe(32)
})

it('lies flat where nothing changes, and passes over NaN', () => {
  expect(new Set(points(path([2, 2, NaN, 2])!).map(([, y]) => y))).toEqual(new Set([16]))
})

it('shows the newest stretch, with its peaks', () => {
  const values = Array.from({ length: 5000 }, (_, at) => (at === 4900 ? 9 : 1))
  const drawn = points(path(values)!)
  expect(drawn.length).toBeLessThanOrEqual(102)
  expect(drawn.some(([, y]) => y === 0)).toBe(true)
})

it('draws nothing from fewer than two points', () => {
  expect(path([1])).toBeNull()
  expect(path([NaN, NaN])).toBeNull()
})
