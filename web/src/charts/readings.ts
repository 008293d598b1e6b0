/** What stands under the pointer: the nearest record, and the values of all series at it. */
import { firstFrom, type Line, type SeriesFrame } from '@/data/frame'
import { metricKind } from '@/data/metrics'
import type { Hover, Span } from '@/data/view'

/** The drawn record whose place is nearest; of lines that lie over each other the newest run's. Null where none is in view. */
export function nearestRecord(series: SeriesFrame, x: number, view: Span): Hover | null {
  let nearest: Hover | null = null
  let least = Infinity
  const slack = series.axis === 'sequence' ? 0 : (view.last - view.first) * 0.004
  for (const line of series.lines) {
    const place = nearestPlace(line.raw.x.values, x)
    if (place < 0) continue
    const at = line.raw.x.at(place)
    if (at < view.first || at > view.last) continue
    const distance = Math.max(slack, Math.abs(at - x))
    if (distance <= least) {
      least = distance
      nearest = hoverOf(line, place)
    }
  }
  return nearest
}

/** The record `steps` further along the same run's line, or at its end; for the keyboard. */
export function recordBeside(series: SeriesFrame, from: Hover, steps: number): Hover | null {
  const all = series.lines.filter((line) => line.raw.x.length > 0)
  let at = all.findIndex((line) => line.run === runOf(series, from))
  if (at < 0) return null
  let place = nearestPlace(all[at]!.raw.sequence.values, from.sequence) + steps
  if (series.axis === 'sequence') {
    // As it happened, one run leads on to the next.
    while (place >= all[at]!.raw.x.length && at < all.length - 1) place -= all[at++]!.raw.x.length
    while (place < 0 && at > 0) place += all[--at]!.raw.x.length
  }
  const line = all[at]!
  place = Math.min(line.raw.x.length - 1, Math.max(0, place))
  return hoverOf(line, place)
}

function hoverOf(line: Line, place: number): Hover {
  const { sequence, x, step } = line.raw
  return { sequence: sequence.at(place), x: x.at(place), run: line.run, step: step.at(place) }
}

/** The run of a record, told or found by its sequence. */
export function runOf(series: SeriesFrame, hover: Hover): number | null {
  if (hover.run !== undefined) return hover.run
  let run: number | null = null
  let least = Infinity
  for (const line of series.lines) {
    const place = nearestPlace(line.raw.sequence.values, hover.sequence)
    if (place < 0) continue
    const distance = Math.abs(line.raw.sequence.at(place) - hover.sequence)
    if (distance < least) {
      least = distance
      run = line.run
    }
  }
  return run
}

/** Samples come every ten seconds. */
const FARTHEST_SECS = 15

export interface Reading {
  metric: string
  /** Null where the metric is not smoothed. */
  smooth: number | null
  /** As logged; null where the run has no value of it yet. */
  raw: number | null
}

export interface Readings {
  run: number
  step: number
  /** Unix seconds. */
  time: number
  rows: Reading[]
}

/** Values of the series at a record, in the order given; a series that knows nothing there gives no row. */
export function readingsAt(
  frames: ReadonlyMap<string, SeriesFrame>,
  order: readonly string[],
  hover: Hover,
): Readings | null {
  let head: { run: number; step: number; time: number } | null = null
  let least = Infinity
  const rows: Reading[] = []
  for (const metric of order) {
    const series = frames.get(metric)
    if (!series) continue
    const run = runOf(series, hover)
    const line = series.lines.find((one) => one.run === run)
    if (!line || line.raw.sequence.length === 0) continue
    const kind = metricKind(metric)
    const sequences = line.raw.sequence.values
    // Evaluations are few: the last one before the pointer holds until the next.
    const place = kind.sparse ? firstFrom(sequences, hover.sequence + 1) - 1 : nearestPlace(sequences, hover.sequence)
    const raw = place < 0 ? null : valueAt(line, place)
    const distance = place < 0 ? Infinity : Math.abs(sequences[place]! - hover.sequence)
    if (distance < least && run !== null) {
      least = distance
      head = { run, step: line.raw.step.at(place), time: line.raw.time.at(place) }
    }
    rows.push({ metric, smooth: kind.smoothed ? smoothAt(line, hover.sequence) : null, raw })
  }
  return head ? { ...head, rows } : null
}

/** The record of any drawn series that is nearest to a moment, in Unix seconds; null where nothing is drawn. */
export function recordAtTime(frames: Iterable<SeriesFrame>, time: number): Hover | null {
  let nearest: Hover | null = null
  let least = Infinity
  for (const { lines } of frames) {
    for (const line of lines) {
      const place = nearestPlace(line.raw.time.values, time)
      if (place < 0) continue
      const distance = Math.abs(line.raw.time.at(place) - time)
      if (distance >= least) continue
      least = distance
      nearest = hoverOf(line, place)
    }
  }
  return nearest
}

/** What was sampled nearest to a moment; null where that is further away than samples are from one another. */
export function sampleAt(series: SeriesFrame, time: number): number | null {
  let nearest: number | null = null
  let least = FARTHEST_SECS
  for (const { raw } of series.lines) {
    const place = nearestPlace(raw.time.values, time)
    if (place < 0) continue
    // Thinned, drawn points lie further apart than samples.
    const apart = Math.max(0, raw.time.at(-1) - raw.time.at(0)) / raw.time.length
    const distance = Math.abs(raw.time.at(place) - time)
    if (distance > Math.max(least, 2 * apart)) continue
    least = distance
    nearest = raw.value.at(place)
  }
  return nearest
}

/** In a line every broken value is NaN; which one it was, infinity perhaps, its mark says. */
function valueAt(line: Line, place: number): number {
  const value = line.raw.value.at(place)
  if (!Number.isNaN(value)) return value
  const sequence = line.raw.sequence.at(place)
  const mark = firstFrom(line.marks.sequence.values, sequence)
  return line.marks.sequence.at(mark) === sequence ? line.marks.value.at(mark) : value
}

/** The smoothed value at a record, or the nearest drawn one. */
export function smoothAt(line: Line, sequence: number): number | null {
  if (!line.smooth || line.smooth.sequence.length === 0) return null
  return line.smooth.value.at(nearestPlace(line.smooth.sequence.values, sequence))
}

/** The place of the value nearest to `wanted` in an ascending column; -1 in an empty one. */
export function nearestPlace(values: Float64Array, wanted: number): number {
  if (values.length === 0) return -1
  const after = Math.min(values.length - 1, firstFrom(values, wanted))
  const before = Math.max(0, after - 1)
  return Math.abs(values[before]! - wanted) <= Math.abs(values[after]! - wanted) ? before : after
}
