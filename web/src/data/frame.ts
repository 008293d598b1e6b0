/**
 * Reads frames (docs/frame.md) into series that charts draw and live points are appended to (tail.ts).
 *
 * A line keeps columns of its own, because two live runs of one task interleave: a point of the older run then goes to the
 * end of the older run's line and moves nothing. Columns are views of the answer until something is appended.
 */
import type { Axis } from '../wire'

const MAGIC = 0x31464c53 // "SLF1", little-endian
const HEADER_BYTES = 8
const NONE: [number, number] = [0, 0]

export class FrameError extends Error {}

/** A column of float64 that grows: appending copies it into room of its own, twice as large each time. */
export class Column {
  private room: Float64Array
  length: number

  constructor(values: Float64Array = new Float64Array(0)) {
    this.room = values
    this.length = values.length
  }

  get values(): Float64Array {
    return this.room.length === this.length ? this.room : this.room.subarray(0, this.length)
  }

  at(place: number): number {
    return this.room[place < 0 ? this.length + place : place] ?? NaN
  }

  append(values: Float64Array): void {
    const needed = this.length + values.length
    if (needed > this.room.length) {
      const larger = new Float64Array(Math.max(64, needed * 2))
      larger.set(this.values)
      this.room = larger
    }
    this.room.set(values, this.length)
    this.length = needed
  }
}

export interface Points {
  sequence: Column
  x: Column
  step: Column
  value: Column
}

export interface RawPoints extends Points {
  /** Unix seconds. */
  time: Column
}

export interface Line {
  run: number
  raw: RawPoints
  /** Null where smoothing is off. */
  smooth: Points | null
  marks: Marks
  /** The step from which a later run went over the same steps again. */
  supersededFrom: number | null
}

/** Places of non-finite values, one a bucket: the first of them and how many. */
export interface Marks {
  sequence: Column
  x: Column
  step: Column
  count: Column
  /** The first value itself: NaN, Infinity or -Infinity. */
  value: Column
}

export interface Spans {
  ema: number
  ma: number
}

export interface SeriesFrame {
  name: string
  axis: Axis
  /** Sequences that it covers, `to` not included. */
  from: number
  to: number
  /** Everything before this sequence is in it. */
  cursor: number
  /** Raw points behind what is drawn. */
  points: number
  /** Sequences a bucket; 1: every raw point is here. */
  bucket: number
  lines: Line[]
  /** Spans of the averages in points, 0 off; null where the frame does not say. */
  smoothing: Spans | null
  /** Points that came live, since it was fetched. */
  appended: number
}

export interface Frame {
  task: string
  axis: Axis
  from: number
  to: number
  cursor: number
  smoothing: Spans | null
  series: SeriesFrame[]
}

interface LineMeta {
  run: number
  raw: [number, number]
  smooth?: [number, number] | null
  marks?: [number, number]
  superseded_from?: number | null
}

interface SeriesMeta {
  name: string
  points: number
  bucket: number
  columns: Record<string, [number, number]>
  lines: LineMeta[]
}

interface FrameMeta {
  task: string
  axis: Axis
  from: number
  to: number
  cursor: number
  smoothing?: Spans
  series: SeriesMeta[]
}

/** Raises FrameError for bytes that are not a frame of version 1. */
export function decodeFrame(bytes: ArrayBuffer): Frame {
  const view = new DataView(bytes)
  if (bytes.byteLength < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw new FrameError('These bytes do not begin with SLF1.')
  }
  const metaBytes = view.getUint32(4, true)
  if (HEADER_BYTES + metaBytes > bytes.byteLength) throw new FrameError('The frame ends within its metadata.')
  const meta = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, HEADER_BYTES, metaBytes))) as FrameMeta
  const payload = Math.ceil((HEADER_BYTES + metaBytes) / 8) * 8
  return {
    task: meta.task,
    axis: meta.axis,
    from: meta.from,
    to: meta.to,
    cursor: meta.cursor,
    smoothing: meta.smoothing ?? null,
    series: meta.series.map((series) => decodeSeries(bytes, payload, meta, series)),
  }
}

function decodeSeries(bytes: ArrayBuffer, payload: number, meta: FrameMeta, series: SeriesMeta): SeriesFrame {
  const column = (name: string): Float64Array => {
    const place = series.columns[name]
    if (!place) return new Float64Array(0)
    const [offset, count] = place
    if (payload + offset + count * 8 > bytes.byteLength) throw new FrameError(`The column ${name} is cut short.`)
    return new Float64Array(bytes, payload + offset, count)
  }
  const raw = { sequence: column('sequence'), x: column('x'), step: column('step'), time: column('time') }
  const value = column('value')
  const smooth = { sequence: column('smooth_sequence'), x: column('smooth_x'), step: column('smooth_step') }
  const smoothValue = column('smooth_value')
  const marks = { sequence: column('mark_sequence'), x: column('mark_x'), step: column('mark_step') }
  const markCount = column('mark_count')
  const markValue = column('mark_value')
  const lines = series.lines.map((line): Line => {
    const part = (values: Float64Array, [first, last]: [number, number]) => new Column(values.subarray(first, last))
    return {
      run: line.run,
      supersededFrom: line.superseded_from ?? null,
      raw: {
        sequence: part(raw.sequence, line.raw),
        x: part(raw.x, line.raw),
        step: part(raw.step, line.raw),
        time: part(raw.time, line.raw),
        value: part(value, line.raw),
      },
      smooth:
        series.columns.smooth_value && line.smooth
          ? {
              sequence: part(smooth.sequence, line.smooth),
              x: part(smooth.x, line.smooth),
              step: part(smooth.step, line.smooth),
              value: part(smoothValue, line.smooth),
            }
          : null,
      marks: {
        sequence: part(marks.sequence, line.marks ?? NONE),
        x: part(marks.x, line.marks ?? NONE),
        step: part(marks.step, line.marks ?? NONE),
        count: part(markCount, line.marks ?? NONE),
        value: part(markValue, line.marks ?? NONE),
      },
    }
  })
  return {
    name: series.name,
    axis: meta.axis,
    from: meta.from,
    to: meta.to,
    cursor: meta.cursor,
    points: series.points,
    bucket: series.bucket,
    lines,
    smoothing: meta.smoothing ?? null,
    appended: 0,
  }
}

/** First place in an ascending column whose value is at least `from`. */
export function firstFrom(values: Float64Array, from: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! < from) low = middle + 1
    else high = middle
  }
  return low
}
