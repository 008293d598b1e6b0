// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { flatColumns, rawOpacity, runColor, stretchesWithout } from './curves'
import { nonFiniteStretches } from './marks'
import type { Geometry } from './geometry'
import { series } from './plan-input'
import { writtenRun } from '@/data/frame-writing'

const geometry: Geometry = {
  width: 120,
  height: 100,
  left: 10,
  right: 110,
  top: 0,
  bottom: 100,
  x: { first: 0, last: 9999 },
  y: { min: 0, max: 10 },
  logarithmic: false,
}

describe('columns of half a pixel', () => {
  const values = Array.from({ length: 10_000 }, (_, at) => 5 + Math.sin(at / 3) + (at === 4321 ? 90 : 0))
  const line = (of: number[]) => series({ from: 0, to: of.length, series: { loss: [writtenRun(1, 0, of)] } }).lines[0]!

  it('hold the least and the greatest of each, in order, and few points besides', () => {
    const flat = flatColumns(line(values).raw, 0, values.length, geometry)
    const columns = new Map<number, [number, number]>()
    const of = (x: number) => Math.floor((x * 200) / 9999)
    values.forEach((value, x) => {
      const [low, high] = columns.get(of(x)) ?? [Infinity, -Infinity]
      columns.set(of(x), [Math.min(low, value), Math.max(high, value)])
    })
    const drawn = new Map<number, [number, number]>()
    let before = -1
    for (let at = 0; at < flat.length; at += 2) {
      expect(flat[at]).toBeGreaterThan(before)
      before = flat[at]!
      expect(values[flat[at]!]).toBe(flat[at + 1])
      const [low, high] = drawn.get(of(flat[at]!)) ?? [Infinity, -Infinity]
      drawn.set(of(flat[at]!), [Math.min(low, flat[at + 1]!), Math.max(high, flat[at + 1]!)])
    }
    expect(drawn).toEqual(columns)
    expect(flat.length / 2).toBeLessThanOrEqual(402)
  })

  it('keep every break in the line', () => {
    const broken = values.map((value, at) => (at % 1000 === 500 ? NaN : value))
    const flat = flatColumns(line(broken).raw, 0, broken.length, geometry)
    const breaks = [...flat].filter((_, at) => at % 2 === 1 && Number.isNaN(flat[at]))
    expect(breaks).toHaveLength(10)
  })

  it('are every point where these are few', () => {
    expect(flatColumns(line([1, 2, 3]).raw, 0, 3, geometry).length).toBe(6)
  })
})

it('joins non-finite values with nothing finite between them, over other records too', () => {
  const points: [number, number, number][] = [
    [0, 0, 1],
    [1, 10, NaN],
    [4, 20, NaN],
    [5, 30, 2],
    [6, 40, NaN],
  ]
  expect(nonFiniteStretches(series({ from: 0, to: 7, series: { loss: [{ run: 1, points }] } }))).toEqual([
    { first: 1, last: 4, count: 2 },
    { first: 6, last: 6, count: 1 },
  ])
})

it('gives each run a shade by step, and one colour to all as it happened', () => {
  expect(runColor('#0068ad', '#ffffff', 'sequence', 2)).toBe('#0068ad')
  const shades = [0, 1, 2, 3].map((age) => runColor('#0068ad', '#ffffff', 'step', age))
  expect(new Set(shades).size).toBe(3)
  expect(shades[0]).toBe('#0068ad')
})

describe('where the smoothed line has left the picture', () => {
  const without = (values: number[]) => {
    const { smooth } = series({ from: 0, to: 100, series: { loss: [writtenRun(1, 0, values)] } }).lines[0]!
    return stretchesWithout(smooth!, { ...geometry, x: { first: 0, last: 99 } })
  }
  /** A pixel a point: 0 to 10 is in the picture. */
  const line = (...parts: [count: number, value: number][]) =>
    parts.flatMap(([count, value]) => Array.from({ length: count }, () => value))

  it('is told from where it left to where it is back', () => {
    expect(without(line([20, 5], [40, 50], [40, 5]))).toEqual([[20, 60]])
  })

  it('goes on to the end where it is not back', () => {
    expect(without(line([95, 5], [5, 50]))).toEqual([[95, Infinity]])
  })

  it('is nowhere before it has come in, and nowhere too narrow to be missed', () => {
    expect(without(line([40, 50], [60, 5]))).toEqual([])
    expect(without(line([40, 5], [20, 50], [40, 5]))).toEqual([])
  })

  it('is not where there is no value at all', () => {
    expect(without(line([40, 5], [30, NaN], [30, 5]))).toEqual([])
  })
})

it('draws a raw line of few points stronger than a dense one', () => {
  expect([4000, 160].map((points) => rawOpacity('main', points, 640))).toEqual([0.28, 0.28])
  expect(rawOpacity('main', 64, 640)).toBeCloseTo(0.44)
  expect([40, 2, 0].map((points) => rawOpacity('main', points, 640))).toEqual([0.6, 0.6, 0.6])
})
