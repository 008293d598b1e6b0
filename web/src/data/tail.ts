/**
 * Joins what comes live to the series that are there: at the end of its own run's line, so that nothing that is drawn moves.
 *
 * Points are known by their sequence: what is there already is passed over, so that a tail may come twice or overlap a window,
 * and a tail that begins after what is there says so instead of leaving a hole.
 */
import type { Axis } from '../wire'
import {
  Column,
  firstFrom,
  type Frame,
  type Line,
  type Marks,
  type Points,
  type RawPoints,
  type SeriesFrame,
  type Spans,
} from './frame'

/** How a live point's place follows from the point, on axes where it does; null where only the server can say. */
const LIVE_X: Record<Axis, 'sequence' | 'step' | 'time' | null> = {
  sequence: 'sequence',
  step: 'step',
  time: 'time',
  epoch: null,
  relative: null,
  tokens: null,
}

export type Appended = 'appended' | 'nothing' | 'gap' | 'refetch'

/**
 * Appends what a tail brings of this series; points that are there already are passed over, so that a tail may come twice
 * or overlap a fetched window. "gap": the tail begins after what the series holds. "refetch": the axis is not known here.
 */
export function appendTail(series: SeriesFrame, frame: Frame): Appended {
  if (frame.cursor <= series.cursor) return 'nothing'
  if (series.to < series.cursor) {
    // A window that ends before the newest record stays as it is: a tail would stand after a hole.
    series.cursor = frame.cursor
    return 'nothing'
  }
  if (frame.from > series.cursor) return 'gap'
  if (!sameSpans(series.smoothing, frame.smoothing)) return 'nothing' // sent before the person changed the smoothing
  const tail = frame.series.find((one) => one.name === series.name)
  let found = 0
  let result: Appended = 'nothing'
  const lines = tail?.lines.filter((line) => line.raw.sequence.length > 0) ?? []
  if (lines.length > 0) {
    const axis = LIVE_X[series.axis]
    const marked = lines.some((line) => line.marks.sequence.length > 0)
    if (axis === null || (axis === 'time' && marked)) return 'refetch' // marks carry no time
    const runs = series.lines.length
    for (const line of lines) found += appendLine(series, line, axis)
    // By step, a run that begins goes over steps of the runs before it; which, the server says.
    if (axis === 'step' && series.lines.length > runs) result = 'refetch'
    else if (found > 0) result = 'appended'
  }
  series.points += found
  series.appended += found
  series.cursor = frame.cursor
  series.to = Math.max(series.to, frame.cursor)
  return result
}

function appendLine(series: SeriesFrame, tail: Line, axis: 'sequence' | 'step' | 'time'): number {
  const first = firstFrom(tail.raw.sequence.values, series.cursor)
  const count = tail.raw.sequence.length - first
  if (count <= 0) return 0
  let line = series.lines.find((one) => one.run === tail.run)
  if (!line) {
    const smooth = tail.smooth ? emptyPoints() : null
    line = { run: tail.run, raw: emptyRaw(), smooth, marks: emptyMarks(), supersededFrom: null }
    series.lines.push(line)
    series.lines.sort((a, b) => a.run - b.run)
  }
  const { raw } = tail
  line.raw.sequence.append(raw.sequence.values.subarray(first))
  line.raw.x.append(raw[axis].values.subarray(first))
  line.raw.step.append(raw.step.values.subarray(first))
  line.raw.time.append(raw.time.values.subarray(first))
  line.raw.value.append(raw.value.values.subarray(first))
  if (tail.smooth && line.smooth) {
    const begin = firstFrom(tail.smooth.sequence.values, series.cursor)
    const x = axis === 'time' ? timesOf(tail, begin) : tail.smooth[axis].values.subarray(begin)
    line.smooth.sequence.append(tail.smooth.sequence.values.subarray(begin))
    line.smooth.x.append(x)
    line.smooth.step.append(tail.smooth.step.values.subarray(begin))
    line.smooth.value.append(tail.smooth.value.values.subarray(begin))
  }
  if (axis !== 'time') appendMarks(line.marks, tail.marks, series.cursor, axis)
  return count
}

/** Times of the smoothed points, which carry none: those of the raw points with the same sequence. */
function timesOf(line: Line, begin: number): Float64Array {
  const sequences = line.smooth!.sequence.values.subarray(begin)
  const raw = line.raw.sequence.values
  return sequences.map((sequence) => line.raw.time.at(firstFrom(raw, sequence)))
}

function appendMarks(marks: Marks, coming: Marks, cursor: number, axis: 'sequence' | 'step'): void {
  const first = firstFrom(coming.sequence.values, cursor)
  if (first >= coming.sequence.length) return
  marks.sequence.append(coming.sequence.values.subarray(first))
  marks.x.append(coming[axis].values.subarray(first))
  marks.step.append(coming.step.values.subarray(first))
  marks.count.append(coming.count.values.subarray(first))
  marks.value.append(coming.value.values.subarray(first))
}

function sameSpans(a: Spans | null, b: Spans | null): boolean {
  return a === null || b === null || (a.ema === b.ema && a.ma === b.ma)
}

const emptyPoints = (): Points => ({ sequence: new Column(), x: new Column(), step: new Column(), value: new Column() })
const emptyRaw = (): RawPoints => ({ ...emptyPoints(), time: new Column() })
const emptyMarks = (): Marks => ({ ...emptyPoints(), count: new Column() })
