// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { series } from './plan-input'
import { nearestPlace, nearestRecord, readingsAt, recordBeside } from './readings'
import { toCsv } from './csv'
import { writtenRun } from '@/data/frame-writing'

const lines = {
  loss: [writtenRun(1, 0, [3, 2, 1]), writtenRun(2, 10, [5, 4, 3])],
  learning_rate: [writtenRun(1, 0, [1e-4, 1e-4, 9e-5]), writtenRun(2, 10, [2e-4, 2e-4, 2e-4])],
  eval_loss: [{ run: 1, points: [[2, 30, 1.5]] as [number, number, number][] }],
}
const frame = { from: 0, to: 13, series: lines }
const frames = new Map(Object.keys(lines).map((name) => [name, series(frame, name)]))
const order = ['loss', 'perplexity', 'learning_rate', 'eval_loss']

describe('the record under the pointer', () => {
  it('is the nearest one', () => {
    const at = (x: number) => nearestRecord(frames.get('loss')!, x, { first: 0, last: 12 })
    expect(at(1.2)).toMatchObject({ sequence: 1, run: 1, step: 20 })
    expect(at(8)).toMatchObject({ sequence: 10, run: 2 })
    expect(nearestRecord(frames.get('loss')!, 1, { first: 20, last: 30 })).toBeNull()
  })

  it('is the newest run’s where lines lie over each other', () => {
    const byStep = series({ axis: 'step', ...frame, series: { loss: lines.loss } })
    expect(nearestRecord(byStep, 20, { first: 0, last: 40 })).toMatchObject({ sequence: 11, run: 2 })
  })

  it('moves on by keys, from one run into the next', () => {
    const from = { sequence: 1, x: 1, run: 1 }
    expect(recordBeside(frames.get('loss')!, from, 1)).toMatchObject({ sequence: 2 })
    expect(recordBeside(frames.get('loss')!, from, 2)).toMatchObject({ sequence: 10, run: 2 })
    expect(recordBeside(frames.get('loss')!, from, Infinity)).toMatchObject({ sequence: 12 })
    expect(recordBeside(frames.get('loss')!, from, -Infinity)).toMatchObject({ sequence: 0 })
  })
})

describe('readings', () => {
  it('hold all series at the record, smoothed and raw, in order', () => {
    const found = readingsAt(frames, order, { sequence: 11, x: 11 })!
    expect(found).toMatchObject({ run: 2, step: 20, time: 110 })
    expect(found.rows).toEqual([
      { metric: 'loss', smooth: 4, raw: 4 },
      { metric: 'learning_rate', smooth: null, raw: 2e-4 },
      { metric: 'eval_loss', smooth: null, raw: 1.5 },
    ])
  })

  it('hold the last evaluation until the next, and none before the first', () => {
    const rowAt = (sequence: number) =>
      readingsAt(frames, order, { sequence, x: sequence, run: 1 })!.rows.find((row) => row.metric === 'eval_loss')
    expect(rowAt(2)!.raw).toBe(1.5)
    expect(rowAt(1)!.raw).toBeNull()
  })
})

it('says which broken value it was', () => {
  const broken = series({ from: 0, to: 2, series: { loss: [writtenRun(1, 0, [NaN, -Infinity])] } })
  const raw = (sequence: number) =>
    readingsAt(new Map([['loss', broken]]), ['loss'], { sequence, x: sequence })!.rows[0]!.raw
  expect(raw(0)).toBeNaN()
  expect(raw(1)).toBe(-Infinity)
})

it('finds the nearest place in a column', () => {
  const column = Float64Array.of(1, 4, 9)
  expect([0, 2, 3, 8, 99].map((wanted) => nearestPlace(column, wanted))).toEqual([0, 0, 1, 2, 2])
  expect(nearestPlace(new Float64Array(0), 1)).toBe(-1)
})

it('writes what is seen as CSV, empty where a record has no such value', () => {
  const csv = toCsv([frames.get('loss')!, frames.get('eval_loss')!], { first: 1, last: 10 })
  expect(csv.split('\r\n')).toEqual([
    'sequence,run,step,time,loss,eval_loss',
    '1,1,20,10,2,',
    '2,1,30,20,1,1.5',
    '10,2,10,100,5,',
    '',
  ])
})
