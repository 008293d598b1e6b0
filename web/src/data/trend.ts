/**
 * Where a metric is going, in one word, from its last stretch.
 *
 * A straight line is laid through the last tenth of the smoothed points (8 to 200 of them). What it rises or falls over that
 * stretch counts when it is more than one hundredth of the values' size and more than twice what they scatter around it
 * (smoothed noise hangs together: at half of it, every second plateau would be told as a rise or a fall).
 */
import type { SeriesFrame } from './frame'
import { metricKind } from './metrics'

export type Trend = 'rising' | 'falling' | 'steady'

const FEWEST = 8
const MOST = 200
const PART = 0.1
const SIZE_SHARE = 0.01
const SCATTER_SHARE = 2

export interface Latest {
  /** Smoothed where smoothing is on and means something for this metric, else as logged. */
  value: number
  /** As logged; NaN where the trainer logged NaN. */
  raw: number
  /** Whether `value` is smoothed. */
  smoothed: boolean
  step: number
  trend: Trend | null
}

/** The newest value of a series; null where it has none. */
export function latestOf(series: SeriesFrame | undefined): Latest | null {
  const line = series?.lines.findLast((one) => one.raw.sequence.length > 0)
  if (!line) return null
  const smooth = metricKind(series!.name).smoothed ? line.smooth : null
  const smoothed = smooth !== null && smooth.value.length > 0
  const shown = smoothed ? smooth : line.raw
  const finite = shown.value.values.filter(Number.isFinite)
  const value = finite.at(-1)
  if (value === undefined) return null
  return { value, raw: line.raw.value.at(-1), smoothed, step: line.raw.step.at(-1), trend: trendOf(finite) }
}

/** Null where there are too few points to say. */
export function trendOf(finite: Float64Array): Trend | null {
  const count = Math.min(MOST, Math.max(FEWEST, Math.round(finite.length * PART)))
  if (finite.length < FEWEST) return null
  const last = finite.subarray(finite.length - count)
  const middle = (count - 1) / 2
  const mean = last.reduce((sum, value) => sum + value, 0) / count
  let along = 0
  let square = 0
  last.forEach((value, place) => {
    along += (place - middle) * (value - mean)
    square += (place - middle) ** 2
  })
  const slope = along / square
  const scatter = Math.sqrt(
    last.reduce((sum, value, place) => sum + (value - mean - slope * (place - middle)) ** 2, 0) / count,
  )
  const change = slope * (count - 1)
  if (Math.abs(change) <= Math.max(SIZE_SHARE * Math.abs(mean), SCATTER_SHARE * scatter)) return 'steady'
  return change > 0 ? 'rising' : 'falling'
}
