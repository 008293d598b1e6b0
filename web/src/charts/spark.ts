/** A sparkline's points: the newest stretch of a series, thinned to what its pixels can show, least and greatest kept. */
import type { SeriesFrame } from '@/data/frame'
import type { MetricKind } from '@/data/metrics'

const NEWEST = 180
/** In review, the part of the last run that is left out at its start: the steep fall would flatten the rest. */
const STEEP_PART = 0.1

/** SVG path data in a box of `width` × `height`; null where there are fewer than two finite points. */
export function sparkPath(
  series: SeriesFrame | undefined,
  kind: MetricKind,
  width: number,
  height: number,
  scope: 'newest' | 'run',
): string | null {
  const line = series?.lines.findLast((one) => one.raw.x.length > 1)
  if (!line) return null
  const points = (kind.smoothed ? line.smooth : null) ?? line.raw
  const all = points.value.values
  const from = scope === 'newest' ? all.length - NEWEST : kind.steepStart ? all.length * STEEP_PART : 0
  const values = all.subarray(Math.max(0, Math.floor(from)))
  const kept = thinned(values, width)
  if (kept.length < 2) return null
  let low = Infinity
  let high = -Infinity
  for (const [, value] of kept) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  // A series that hardly changes lies flat: its noise is not blown up to the height of the box.
  const least = Math.max(Math.abs(high), Math.abs(low)) * 0.002
  const span = Math.max(high - low, least)
  const middle = (high + low) / 2
  const y = (value: number) => height / 2 - (span > 0 ? ((value - middle) / span) * height : 0)
  const x = (place: number) => (place / Math.max(1, values.length - 1)) * width
  return kept.map(([place, value], at) => `${at ? 'L' : 'M'}${x(place).toFixed(1)} ${y(value).toFixed(1)}`).join('')
}

/** Finite values by place; of each stretch of two pixels the least and the greatest, in order. */
function thinned(values: Float64Array, width: number): [number, number][] {
  const stretch = Math.max(1, values.length / Math.max(1, width / 2))
  const kept: [number, number][] = []
  for (let from = 0; from < values.length; from += stretch) {
    let least = -1
    let greatest = -1
    for (let place = Math.floor(from); place < Math.min(values.length, Math.floor(from + stretch)); place++) {
      if (!Number.isFinite(values[place])) continue
      if (least < 0 || values[place]! < values[least]!) least = place
      if (greatest < 0 || values[place]! > values[greatest]!) greatest = place
    }
    for (const place of least === greatest ? [least] : [Math.min(least, greatest), Math.max(least, greatest)]) {
      if (place >= 0) kept.push([place, values[place]!])
    }
  }
  return kept
}
