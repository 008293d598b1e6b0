// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { series } from './plan-input'
import { quantile, valueExtent, type RangeQuery } from './range'
import { writtenRun } from '@/data/frame-writing'
import { metricKind } from '@/data/metrics'

const loss = (values: number[], name = 'loss') =>
  series({ from: 0, to: values.length, series: { [name]: [writtenRun(1, 0, values)] } })

function extent(values: number[], over: Partial<RangeQuery> = {}, name = 'loss') {
  return valueExtent({
    series: loss(values, name),
    kind: metricKind(name),
    evaluations: null,
    view: { first: 0, last: values.length - 1 },
    zoomed: false,
    fit: true,
    logarithmic: false,
    pointedAt: [],
    previous: null,
    ...over,
  })
}

/** Steep for a tenth, then level with a little noise, and one spike. */
const typical = () => Array.from({ length: 1000 }, (_, at) => (at < 100 ? 11 - at * 0.07 : 3.5 + (at % 7) * 0.02))
const spiked = () => typical().with(700, 90)

describe('the range that fits', () => {
  it('is not flattened by the steep start nor by a spike, and tells what lies beyond', () => {
    const { min, max, above, below } = extent(spiked())!
    expect(max).toBeLessThan(4.5)
    expect(min).toBeGreaterThan(3)
    expect(above).toBe(90)
    expect(below).toBeNull()
  })

  it('shows everything without it', () => {
    const { min, max, above } = extent(spiked(), { fit: false })!
    expect(max).toBeGreaterThan(90)
    expect(min).toBeLessThanOrEqual(3.5)
    expect(above).toBeNull()
  })

  it('counts the start where the person zoomed to it', () => {
    expect(extent(typical(), { view: { first: 0, last: 200 }, zoomed: true })!.max).toBeGreaterThan(10)
  })

  it('never hides what a finding points at, nor the newest value', () => {
    expect(extent(spiked(), { pointedAt: [{ first: 690, last: 710 }] })!.max).toBeGreaterThan(90)
    expect(extent(typical().with(999, 40))!.max).toBeGreaterThan(40)
  })

  it('holds the evaluations after a third of their run', () => {
    const evaluations = series({
      from: 0,
      to: 1000,
      series: {
        eval_loss: [
          {
            run: 1,
            points: [
              [100, 10, 9],
              [500, 50, 5],
              [900, 90, 6],
            ],
          },
        ],
      },
    })
    const { max } = extent(typical(), { evaluations })!
    expect(max).toBeGreaterThan(6)
    expect(max).toBeLessThan(8)
  })

  it('begins at zero where it nearly reaches it, and for metrics that do', () => {
    expect(extent(Array.from({ length: 50 }, (_, at) => 1.1 - at / 50))!.min).toBe(0)
    expect(
      extent(
        Array.from({ length: 50 }, () => 3 + Math.random()),
        {},
        'learning_rate',
      )!.min,
    ).toBe(0)
  })

  it('gives a constant room', () => {
    const { min, max } = extent([2, 2, 2])!
    expect(min).toBeLessThan(2)
    expect(max).toBeGreaterThan(2)
    expect(extent([0, 0])).toMatchObject({ min: -1, max: 1 })
  })

  it('is in powers on a logarithmic axis, without what has no logarithm', () => {
    const { min, max } = extent([0, -1, 1, 10, 100], { logarithmic: true, zoomed: true })!
    expect(min).toBeCloseTo(0 - 0.14, 1)
    expect(max).toBeCloseTo(2 + 0.14, 1)
    expect(extent([0, -1], { logarithmic: true })).toBeNull()
  })

  it('stays while live points fit into it, and follows when they do not', () => {
    const before = extent(typical())!
    const same = extent([...typical(), 3.6, 3.52], { previous: before })!
    expect([same.min, same.max]).toEqual([before.min, before.max])
    const higher = extent([...typical(), 5], { previous: before })!
    expect(higher.max).toBeGreaterThan(5)
  })
})

it('finds a quantile as sorting does', () => {
  for (let length = 1; length < 60; length++) {
    for (const most of [1, 3, 1000]) {
      const values = Float64Array.from({ length }, (_, at) => Math.floor(Math.abs(Math.sin(at * 7 + length) * most)))
      const sorted = values.toSorted()
      for (const part of [0, 0.01, 0.5, 0.99, 1]) {
        expect(quantile(values, part)).toBe(sorted[Math.round((length - 1) * part)])
      }
    }
  }
})
