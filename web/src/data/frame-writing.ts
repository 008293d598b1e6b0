/** Writes frames as the server does, for tests of what reads them. */
import type { Axis } from '../wire'

export interface WrittenLine {
  run: number
  /** Rows of sequence, step, value; the time is the sequence times ten. */
  points: [number, number, number][]
  /** Values of the smoothed line at the same places; absent: smoothing is off. */
  smooth?: number[]
  supersededFrom?: number
}

export interface WrittenFrame {
  task?: string
  axis?: Axis
  from: number
  to: number
  cursor?: number
  smoothing?: { ema: number; ma: number }
  bucket?: number
  series: Record<string, WrittenLine[]>
}

export function writeFrame(frame: WrittenFrame): ArrayBuffer {
  const axis = frame.axis ?? 'sequence'
  const columns: number[] = []
  const put = (values: number[]): [number, number] => {
    const offset = columns.length * 8
    columns.push(...values)
    return [offset, values.length]
  }
  const place = ([sequence, step]: [number, number, number]) =>
    axis === 'step' ? step : axis === 'time' ? sequence * 10 : sequence
  const series = Object.entries(frame.series).map(([name, lines]) => {
    const points = lines.flatMap((line) => line.points)
    const smoothed = lines.flatMap((line) => (line.smooth ? line.points : []))
    const marks = points.filter(([, , value]) => !Number.isFinite(value))
    let raw = 0
    let smooth = 0
    let mark = 0
    return {
      name,
      points: points.length,
      bucket: frame.bucket ?? 1,
      columns: {
        sequence: put(points.map((point) => point[0])),
        x: put(points.map(place)),
        step: put(points.map((point) => point[1])),
        time: put(points.map((point) => point[0] * 10)),
        value: put(points.map((point) => (Number.isFinite(point[2]) ? point[2] : NaN))),
        mark_sequence: put(marks.map((point) => point[0])),
        mark_x: put(marks.map(place)),
        mark_step: put(marks.map((point) => point[1])),
        mark_count: put(marks.map(() => 1)),
        mark_value: put(marks.map((point) => point[2])),
        ...(smoothed.length > 0
          ? {
              smooth_sequence: put(smoothed.map((point) => point[0])),
              smooth_x: put(smoothed.map(place)),
              smooth_step: put(smoothed.map((point) => point[1])),
              smooth_value: put(lines.flatMap((line) => line.smooth ?? [])),
            }
          : {}),
      },
      lines: lines.map((line) => {
        const at: [number, number] = [raw, (raw += line.points.length)]
        const smoothAt = line.smooth ? [smooth, (smooth += line.smooth.length)] : undefined
        const broken = line.points.filter(([, , value]) => !Number.isFinite(value)).length
        const markAt = [mark, (mark += broken)]
        return { run: line.run, marks: markAt, raw: at, smooth: smoothAt, superseded_from: line.supersededFrom ?? null }
      }),
    }
  })
  const meta = {
    task: frame.task ?? 'task',
    axis,
    from: frame.from,
    to: frame.to,
    cursor: frame.cursor ?? frame.to,
    smoothing: frame.smoothing ?? { ema: 10, ma: 5 },
    series,
  }
  const text = new TextEncoder().encode(JSON.stringify(meta))
  const payload = Math.ceil((8 + text.length) / 8) * 8
  const bytes = new ArrayBuffer(payload + columns.length * 8)
  new Uint8Array(bytes).set(new TextEncoder().encode('SLF1'))
  new DataView(bytes).setUint32(4, text.length, true)
  new Uint8Array(bytes).set(text, 8)
  new Float64Array(bytes, payload).set(columns)
  return bytes
}

/** One run of a metric, a point at each sequence from `first` on, its step counted from `firstStep`. */
export function writtenRun(run: number, first: number, values: number[], firstStep = 10): WrittenLine {
  return {
    run,
    points: values.map((value, at) => [first + at, firstStep + at * 10, value]),
    smooth: values.map(Number),
  }
}
