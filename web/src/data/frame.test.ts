// @vitest-environment node
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Column, decodeFrame, FrameError, firstFrom, type SeriesFrame } from './frame'
import { appendTail } from './tail'
import { writeFrame, writtenRun } from './frame-writing'

const loss = (frame: ArrayBuffer): SeriesFrame => decodeFrame(frame).series[0]!
const values = (series: SeriesFrame, run: number) => [
  ...series.lines.find((line) => line.run === run)!.raw.value.values,
]

describe('decodeFrame', () => {
  it('reads lines, smoothed lines and marks', () => {
    const series = loss(
      writeFrame({
        from: 0,
        to: 6,
        series: { loss: [writtenRun(1, 0, [3, NaN, 2]), { ...writtenRun(2, 3, [4, 3, 1]), supersededFrom: 20 }] },
      }),
    )
    expect(series.lines.map((line) => line.run)).toEqual([1, 2])
    expect(values(series, 1)).toEqual([3, NaN, 2])
    expect([...series.lines[1]!.raw.step.values]).toEqual([10, 20, 30])
    expect([...series.lines[1]!.smooth!.value.values]).toEqual([4, 3, 1])
    expect(series.lines[1]!.supersededFrom).toBe(20)
    expect([...series.lines[0]!.marks.sequence.values]).toEqual([1])
    expect([...series.lines[0]!.marks.value.values]).toEqual([NaN])
    expect(series.smoothing).toEqual({ ema: 10, ma: 5 })
  })

  it('has no smoothed line where the frame has none', () => {
    const line = { run: 1, points: [[0, 10, 1]] as [number, number, number][] }
    expect(loss(writeFrame({ from: 0, to: 1, series: { loss: [line] } })).lines[0]!.smooth).toBeNull()
  })

  it('refuses bytes with another magic, and a frame that is cut short', () => {
    const bytes = writeFrame({ from: 0, to: 1, series: { loss: [writtenRun(1, 0, [1])] } })
    expect(() => decodeFrame(bytes.slice(0, bytes.byteLength - 8))).toThrow(FrameError)
    expect(() => decodeFrame(bytes.slice(0, 5))).toThrow(FrameError)
    new Uint8Array(bytes)[3] = 0x39
    expect(() => decodeFrame(bytes)).toThrow(FrameError)
  })
})

describe('appendTail', () => {
  const begun = () => loss(writeFrame({ from: 0, to: 2, series: { loss: [writtenRun(1, 0, [3, 2])] } }))
  const tail = (
    from: number,
    to: number,
    lines: ReturnType<typeof writtenRun>[],
    smoothing?: { ema: number; ma: number },
  ) => decodeFrame(writeFrame({ from, to, series: { loss: lines }, ...(smoothing ? { smoothing } : {}) }))

  it('goes on where the window ended, and passes over what comes twice', () => {
    const series = begun()
    expect(appendTail(series, tail(1, 4, [writtenRun(1, 1, [2, 1.5, 1], 20)]))).toBe('appended')
    expect(values(series, 1)).toEqual([3, 2, 1.5, 1])
    expect(appendTail(series, tail(1, 4, [writtenRun(1, 1, [2, 1.5, 1], 20)]))).toBe('nothing')
    expect(values(series, 1)).toEqual([3, 2, 1.5, 1])
    expect(series.cursor).toBe(4)
    expect([...series.lines[0]!.smooth!.value.values]).toEqual([3, 2, 1.5, 1])
  })

  it('says when records are missing between the window and the tail', () => {
    const series = begun()
    expect(appendTail(series, tail(3, 4, [writtenRun(1, 3, [1])]))).toBe('gap')
    expect(values(series, 1)).toEqual([3, 2])
  })

  it('gives each of two live runs its own line, and moves nothing', () => {
    const series = begun()
    appendTail(series, tail(2, 3, [writtenRun(2, 2, [9])]))
    appendTail(series, tail(3, 5, [writtenRun(1, 3, [1], 30), writtenRun(2, 4, [8], 20)]))
    expect(values(series, 1)).toEqual([3, 2, 1])
    expect(values(series, 2)).toEqual([9, 8])
  })

  it('keeps the marks of what comes live', () => {
    const series = begun()
    appendTail(series, tail(2, 3, [writtenRun(1, 2, [NaN], 30)]))
    expect([...series.lines[0]!.marks.sequence.values]).toEqual([2])
    expect(values(series, 1)).toEqual([3, 2, NaN])
  })

  it('leaves out a tail that was smoothed before the person changed the smoothing', () => {
    const series = begun()
    expect(appendTail(series, tail(2, 3, [writtenRun(1, 2, [1])], { ema: 50, ma: 5 }))).toBe('nothing')
    expect(series.cursor).toBe(2)
  })

  it('adds nothing to a window that ends before the newest record', () => {
    const series = loss(writeFrame({ from: 0, to: 2, cursor: 9, series: { loss: [writtenRun(1, 0, [3, 2])] } }))
    expect(appendTail(series, tail(9, 10, [writtenRun(1, 9, [1])]))).toBe('nothing')
    expect(values(series, 1)).toEqual([3, 2])
    expect(series.cursor).toBe(10)
  })

  it('places live points by step, and asks again on an axis that only the server knows', () => {
    const byStep = loss(writeFrame({ axis: 'step', from: 0, to: 2, series: { loss: [writtenRun(1, 0, [3, 2])] } }))
    appendTail(byStep, tail(2, 3, [writtenRun(1, 2, [1], 30)]))
    expect([...byStep.lines[0]!.raw.x.values]).toEqual([10, 20, 30])
    expect([...byStep.lines[0]!.smooth!.x.values]).toEqual([10, 20, 30])
    const byEpoch = loss(writeFrame({ axis: 'epoch', from: 0, to: 2, series: { loss: [writtenRun(1, 0, [3, 2])] } }))
    expect(appendTail(byEpoch, tail(2, 3, [writtenRun(1, 2, [1], 30)]))).toBe('refetch')
  })
})

describe('Column', () => {
  it('grows without touching what it was made of', () => {
    const given = Float64Array.of(1, 2)
    const column = new Column(given)
    for (let value = 3; value <= 100; value++) column.append(Float64Array.of(value))
    expect(column.length).toBe(100)
    expect(column.values.length).toBe(100)
    expect(column.at(-1)).toBe(100)
    expect([...given]).toEqual([1, 2])
  })
})

describe('firstFrom', () => {
  it('finds the first place that is not less', () => {
    const column = Float64Array.of(1, 3, 3, 7)
    expect([0, 1, 2, 3, 4, 8].map((wanted) => firstFrom(column, wanted))).toEqual([0, 0, 1, 1, 3, 4])
  })
})

/** Written and checked by the Python tests as well; in the expected values null is NaN. */
describe('the golden frame', () => {
  const golden = resolve(import.meta.dirname, '../../../tests/golden')
  const bytes = readFileSync(`${golden}/frame.bin`)
  const frame = decodeFrame(new Uint8Array(bytes).buffer)
  const expected = JSON.parse(readFileSync(`${golden}/frame.json`, 'utf8')) as Expected

  interface Expected {
    task: string
    axis: string
    from: number
    to: number
    cursor: number
    series: {
      name: string
      points: number
      bucket: number
      columns: Record<string, (number | string | null)[]>
      lines: {
        run: number
        raw: [number, number]
        smooth?: [number, number]
        marks: [number, number]
        superseded_from: number | null
      }[]
    }[]
  }

  it('says of itself what Python wrote', () => {
    const { task, axis, from, to, cursor } = frame
    expect({ task, axis, from, to, cursor }).toEqual({
      task: expected.task,
      axis: expected.axis,
      from: expected.from,
      to: expected.to,
      cursor: expected.cursor,
    })
    expect(frame.series.map(({ name, points, bucket }) => [name, points, bucket])).toEqual(
      expected.series.map(({ name, points, bucket }) => [name, points, bucket]),
    )
  })

  it.each(expected.series.map((series, at) => [series.name, at] as const))('holds the lines of %s', (_, at) => {
    const series = frame.series[at]!
    const wanted = expected.series[at]!
    const part = (name: string, [first, last]: [number, number]) =>
      wanted.columns[name]!.slice(first, last).map((value) => (value === null ? NaN : Number(value)))
    expect(series.lines.map((line) => [line.run, line.supersededFrom])).toEqual(
      wanted.lines.map((line) => [line.run, line.superseded_from]),
    )
    wanted.lines.forEach((line, place) => {
      const found = series.lines[place]!
      for (const name of ['sequence', 'x', 'step', 'time', 'value'] as const) {
        expect([...found.raw[name].values]).toEqual(part(name, line.raw))
      }
      for (const name of ['sequence', 'x', 'step', 'value'] as const) {
        if (line.smooth) expect([...found.smooth![name].values]).toEqual(part(`smooth_${name}`, line.smooth))
        else expect(found.smooth).toBeNull()
      }
      for (const name of ['sequence', 'x', 'step', 'count', 'value'] as const) {
        expect([...found.marks[name].values]).toEqual(part(`mark_${name}`, line.marks))
      }
    })
  })
})
