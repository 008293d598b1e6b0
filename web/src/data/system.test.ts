import { describe, expect, it } from 'vitest'
import { metricValue } from './figures'
import { decodeFrame } from './frame'
import { writeFrame, writtenRun } from './frame-writing'
import { inUnits, systemFigure, systemFigures, timeExtent, timesIn } from './system'

const frame = () =>
  decodeFrame(
    writeFrame({ from: 0, to: 4, series: { 'system.memory': [writtenRun(1, 0, [2 ** 30, 2 ** 31, NaN, 0])] } }),
  )

describe('a name', () => {
  it('says what is measured, in which unit, and of which GPU', () => {
    expect(systemFigure('gpu.12.memory')).toMatchObject({ kind: 'gpu.memory', gpu: 12, unit: 'GiB' })
    expect(systemFigure('process.cpu')).toMatchObject({ kind: 'process.cpu', gpu: null, unit: '%' })
    expect(systemFigure('gpu.0.fan')).toBeNull()
  })

  it('has its place: GPUs first, one after another', () => {
    const names = ['disk.used', 'gpu.10.power', 'gpu.2.power', 'gpu.2.utilization', 'process.cpu', 'unknown']
    expect(systemFigures(names).map(({ name }) => name)).toEqual([
      'gpu.2.utilization',
      'gpu.2.power',
      'gpu.10.power',
      'process.cpu',
      'disk.used',
    ])
  })
})

it.each([
  [0.004682, '0.00'],
  [1.23456, '1.23'],
  [50.84, '50.8'],
  [1234.5, '1,235'],
])('%s is written with the digits that its unit is worth: %s', (value, written) => {
  expect(metricValue('process.read', value)).toBe(written)
})

it('bytes are shown as GiB, and what is no number stays none', () => {
  const [series] = frame().series
  expect([...inUnits(series!, 2 ** -30).lines[0]!.raw.value.values]).toEqual([1, 2, NaN, 0])
})

describe('the time in view', () => {
  it('is all of it while nothing is zoomed', () => {
    expect(timeExtent(frame().series)).toEqual({ first: 0, last: 3 })
    expect(timeExtent([])).toBeNull()
  })

  it('is that of the points in the zoomed part', () => {
    const series = frame().series
    const time = series[0]!.lines[0]!.raw.time
    expect(timesIn({ first: 1, last: 2 }, series)).toEqual({ first: time.at(1), last: time.at(2) })
    expect(timesIn({ first: 8, last: 9 }, series)).toBeNull()
  })
})
