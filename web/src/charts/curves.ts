/**
 * Curves of a metric: flat typed arrays and what they look like.
 *
 * Only what lies in view (and one point on either side, so that a line runs to the edge) is handed over.
 */
import { fromX, toX, toY, type Box, type ChartSize, type Geometry } from './geometry'
import type { Curve } from './picture'
import { placesIn } from './range'
import { mix, type Tokens } from './tokens'
import { firstFrom, type Line, type Points, type SeriesFrame } from '@/data/frame'
import type { MetricKind } from '@/data/metrics'
import type { Axis } from '@/wire'

/** Strength of a run's colour by age, the newest first. */
const SHADES = [1, 0.86, 0.72]
const SUPERSEDED_OPACITY = 0.5

/** By step, each run has a shade of the metric's colour, the newest the strongest. */
export function runColor(color: string, ground: string, axis: Axis, age: number): string {
  if (axis === 'sequence' || age === 0) return color
  return mix(color, ground, SHADES[Math.min(age, SHADES.length - 1)]!)
}

/** x and y in turn, for the places [first, last) of a line; y is an exponent where the axis is logarithmic. */
export function flat(points: Points, first: number, last: number, logarithmic: boolean): Float64Array {
  const x = points.x.values
  const y = points.value.values
  const data = new Float64Array(Math.max(0, last - first) * 2)
  for (let place = first, at = 0; place < last; place++) {
    data[at++] = x[place]!
    data[at++] = drawnValue(y[place]!, logarithmic)
  }
  return data
}

/** Infinity is no place on a canvas: it breaks the line as NaN does, and has its mark on the axis. */
export function drawnValue(value: number, logarithmic: boolean): number {
  if (!Number.isFinite(value)) return NaN
  return logarithmic ? (value > 0 ? Math.log10(value) : NaN) : value
}

/** Half a pixel: on a sharp screen, that is one of its own. */
const COLUMNS_A_PIXEL = 2

/**
 * The same picture from fewer points: of each column of half a pixel the least and the greatest, in order. A chart 250 pixels
 * wide draws 4,000 points in a quarter of the time so, and no pixel differs; breaks in the line stay.
 */
export function flatColumns(points: Points, first: number, last: number, geometry: Geometry): Float64Array {
  const columns = Math.ceil((geometry.right - geometry.left) * COLUMNS_A_PIXEL)
  if (last - first <= columns * 2) return flat(points, first, last, geometry.logarithmic)
  const x = points.x.values
  const y = points.value.values
  const scale = columns / (geometry.x.last - geometry.x.first)
  const data = new Float64Array((last - first) * 2)
  let at = 0
  let column = NaN
  let least = -1
  let greatest = -1
  const put = (place: number): void => {
    data[at++] = x[place]!
    data[at++] = drawnValue(y[place]!, geometry.logarithmic)
  }
  const close = (): void => {
    if (least < 0) return
    put(Math.min(least, greatest))
    if (least !== greatest) put(Math.max(least, greatest))
    least = greatest = -1
  }
  for (let place = first; place < last; place++) {
    const here = Math.floor((x[place]! - geometry.x.first) * scale)
    const broken = Number.isNaN(drawnValue(y[place]!, geometry.logarithmic))
    if (here !== column || broken) close()
    column = here
    if (broken) put(place)
    else {
      if (least < 0 || y[place]! < y[least]!) least = place
      if (greatest < 0 || y[place]! > y[greatest]!) greatest = place
    }
  }
  close()
  return data.subarray(0, at)
}

/** Places [first, last) to draw of these points: in view, and one more on either side. */
export function drawnPlaces(points: Points, geometry: Geometry): [number, number] {
  const x = points.x.values
  const first = firstFrom(x, geometry.x.first)
  let last = firstFrom(x, geometry.x.last)
  while (last < x.length && x[last] === geometry.x.last) last++
  return [Math.max(0, first - 1), Math.min(x.length, last + 1)]
}

export interface CurveQuery {
  series: SeriesFrame
  kind: MetricKind
  size: ChartSize
  axis: Axis
  geometry: Geometry
  tokens: Tokens
}

const FAINT = { main: 0.28, small: 0.24 }
const CLEAR = 0.6
/** Pixels from point to point from which a raw line is no texture but a line to follow. */
const SPARSE_PX = { from: 4, to: 16 }

/** How strong the raw line is under the smoothed one: of a few points, at a quarter of the strength nothing was to be seen. */
export function rawOpacity(size: ChartSize, points: number, widthPx: number): number {
  const apart = (widthPx / Math.max(1, points) - SPARSE_PX.from) / (SPARSE_PX.to - SPARSE_PX.from)
  return FAINT[size] + (CLEAR - FAINT[size]) * Math.min(1, Math.max(0, apart))
}

/** The raw line, faint, under the smoothed one; alone at full strength where the metric is not smoothed. */
export function metricCurves(query: CurveQuery): Curve[] {
  const { series, kind, size, axis, geometry, tokens } = query
  const metric = tokens.metric(series.name)
  const points = series.lines.reduce((sum, { raw }) => {
    const [first, last] = drawnPlaces(raw, geometry)
    return sum + last - first
  }, 0)
  const faint = rawOpacity(size, points, geometry.right - geometry.left)
  const curves: Curve[] = []
  series.lines.forEach((one, at) => {
    const age = series.lines.length - 1 - at
    const color = runColor(metric, tokens.ground, axis, age)
    const smooth = kind.smoothed ? one.smooth : null
    const strong = size === 'small' || (axis !== 'sequence' && age > 0) ? 1.25 : 1.5
    const lone = one.raw.x.length === 1 || finiteCount(one, 2) === 1
    const drawn = ({ data, superseded }: Part, opacity: number) => ({
      data,
      color,
      opacity: opacity * (superseded ? SUPERSEDED_OPACITY : 1),
    })
    if (smooth) {
      for (const part of parts(one, one.raw, axis, geometry)) {
        curves.push({ ...drawn(part, faint), widthPx: 1, join: 'bevel', z: 2 })
      }
    }
    const widthPx = smooth ? strong : size === 'small' ? 1.25 : 1.5
    for (const [from, to] of smooth ? stretchesWithout(smooth, geometry) : []) {
      const raw = one.raw.sequence.values
      const data = flatColumns(one.raw, firstFrom(raw, from), firstFrom(raw, to), geometry)
      const superseded = axis === 'step' && one.supersededFrom !== null
      curves.push({ ...drawn({ data, superseded }, 1), widthPx: 1, join: 'bevel', z: 3 })
    }
    for (const part of parts(one, smooth ?? one.raw, axis, geometry)) {
      curves.push({
        ...drawn(part, 1),
        widthPx,
        join: 'round',
        ...(lone ? { circles: { sizePx: 4, fill: color, rim: color, rimPx: 0 } } : {}),
        z: 4 + at * 0.01,
      })
    }
  })
  return curves
}

/** Narrower than this, the eye goes on by itself. */
const MISSED_PX = 24

/**
 * Where the smoothed line has left the picture, as sequences [from, to): there the raw one is drawn in full strength. One spike
 * of the loss to 18 is a perplexity of 7e7, and its average stays beyond a range of 40 for a hundred points and more.
 */
export function stretchesWithout(smooth: Points, geometry: Geometry): [number, number][] {
  const [first, last] = drawnPlaces(smooth, geometry)
  const found: [number, number][] = []
  let seen = false
  let left = -1
  for (let place = first; place < last; place++) {
    const y = drawnValue(smooth.value.at(place), geometry.logarithmic)
    if (Number.isNaN(y)) continue
    const inside = y >= geometry.y.min && y <= geometry.y.max
    if (inside && left >= 0) {
      const widthPx = toX(geometry, smooth.x.at(place)) - toX(geometry, smooth.x.at(left))
      if (widthPx >= MISSED_PX) found.push([smooth.sequence.at(left), smooth.sequence.at(place)])
      left = -1
    } else if (!inside && seen && left < 0) left = place
    seen ||= inside
  }
  if (left >= 0) found.push([smooth.sequence.at(left), Infinity])
  return found
}

interface Part {
  data: Float64Array
  superseded: boolean
}

/** By step, a line is parted where a later run went over the same steps. */
function parts(one: Line, points: Points, axis: Axis, geometry: Geometry): Part[] {
  const [first, last] = drawnPlaces(points, geometry)
  const whole = (from: number, to: number, superseded: boolean): Part => ({
    data: flatColumns(points, from, to, geometry),
    superseded,
  })
  if (axis !== 'step' || one.supersededFrom === null) return [whole(first, last, false)]
  const cut = Math.min(last, Math.max(first, firstFrom(points.step.values, one.supersededFrom)))
  return [whole(first, Math.min(last, cut + 1), false), whole(cut, last, true)].filter((part) => part.data.length > 0)
}

/** Finite values of a line, counted up to `enough`. */
function finiteCount(one: Line, enough: number): number {
  let count = 0
  for (const value of one.raw.value.values) if (Number.isFinite(value) && ++count >= enough) break
  return count
}

/** How many smoothed (or raw) points of a series a box would cover; counted on every point, for boxes of labels. */
export function covered(series: SeriesFrame, geometry: Geometry, box: Box): number {
  let count = 0
  for (const one of series.lines) {
    const points = one.smooth ?? one.raw
    const [first, last] = placesIn(one, { first: geometry.x.first, last: geometry.x.last })
    if (first >= last) continue
    const x = points.x.values
    const from = firstFrom(x, fromX(geometry, box.left))
    const to = firstFrom(x, fromX(geometry, box.left + box.width))
    for (let place = from; place < to; place++) {
      const y = toY(geometry, points.value.at(place))
      if (y >= box.top && y <= box.top + box.height) count++
    }
  }
  return count
}
