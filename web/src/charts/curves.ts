/**
 * Curves and marks as ECharts series: flat typed arrays, nothing that listens to the pointer, nothing that moves.
 *
 * Only what lies in view (and one point on either side, so that a line runs to the edge) is handed over.
 */
import type { LineSeriesOption, ScatterSeriesOption } from 'echarts/charts'
import { fromX, toX, toY, type Box, type ChartSize, type Geometry } from './geometry'
import { placesIn } from './range'
import { mix, type Tokens } from './tokens'
import { firstFrom, type Line, type Points, type SeriesFrame } from '@/data/frame'
import type { MetricKind } from '@/data/metrics'
import type { Axis } from '@/wire'

export type CurveSeries = LineSeriesOption | ScatterSeriesOption

/** Strength of a run's colour by age, the newest first. */
const SHADES = [1, 0.86, 0.72]
const SUPERSEDED_OPACITY = 0.5
const MARK_PX = 9

/** By step, each run has a shade of the metric's colour, the newest the strongest. */
export function runColor(color: string, ground: string, axis: Axis, age: number): string {
  if (axis === 'sequence' || age === 0) return color
  return mix(color, ground, SHADES[Math.min(age, SHADES.length - 1)]!)
}

const line: LineSeriesOption = {
  type: 'line',
  showSymbol: false,
  silent: true,
  animation: false,
  clip: true,
  legendHoverLink: false,
  dimensions: ['x', 'y'],
  emphasis: { disabled: true },
}

const scatter: ScatterSeriesOption = {
  type: 'scatter',
  silent: true,
  animation: false,
  clip: false,
  dimensions: ['x', 'y'],
  emphasis: { disabled: true },
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
function drawnValue(value: number, logarithmic: boolean): number {
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

/** ECharts takes flat typed arrays for lines as for scatters; its types say so for scatters only. */
function asData(values: Float64Array): NonNullable<LineSeriesOption['data']> {
  return values as unknown as NonNullable<LineSeriesOption['data']>
}

/** Places [first, last) to draw of these points: in view, and one more on either side. */
function drawnPlaces(points: Points, geometry: Geometry): [number, number] {
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

/** The raw line, faint, under the smoothed one; alone at full strength where the metric is not smoothed. */
export function metricCurves(query: CurveQuery): CurveSeries[] {
  const { series, kind, size, axis, geometry, tokens } = query
  const color = tokens.metric(series.name)
  const curves: CurveSeries[] = []
  series.lines.forEach((one, at) => {
    const age = series.lines.length - 1 - at
    const shade = runColor(color, tokens.ground, axis, age)
    const smooth = kind.smoothed ? one.smooth : null
    const strong = size === 'small' || (axis !== 'sequence' && age > 0) ? 1.25 : 1.5
    const lone = one.raw.x.length === 1 || finiteCount(one, 2) === 1
    if (smooth) {
      const faint = { width: 1, color: shade, opacity: size === 'small' ? 0.24 : 0.28 }
      curves.push(...parts(one, one.raw, axis, geometry).map((part) => drawn(part, faint, 2)))
    }
    const width = smooth ? strong : size === 'small' ? 1.25 : 1.5
    for (const part of parts(one, smooth ?? one.raw, axis, geometry)) {
      curves.push({
        ...drawn(part, { width, color: shade, join: 'round' }, 4 + at * 0.01),
        ...(lone ? { showSymbol: true, symbol: 'circle', symbolSize: 4, itemStyle: { color: shade } } : {}),
      })
    }
  })
  return curves
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

function drawn(part: Part, style: NonNullable<LineSeriesOption['lineStyle']>, z: number): LineSeriesOption {
  const opacity = (style.opacity ?? 1) * (part.superseded ? SUPERSEDED_OPACITY : 1)
  return { ...line, data: asData(part.data), lineStyle: { ...style, opacity }, z }
}

/** Finite values of a line, counted up to `enough`. */
function finiteCount(one: Line, enough: number): number {
  let count = 0
  for (const value of one.raw.value.values) if (Number.isFinite(value) && ++count >= enough) break
  return count
}

export interface Place {
  line: Line
  place: number
}

/** Evaluations: open circles on a thin line, the best one filled. `host`: drawn into the chart of another metric. */
export function evaluationCurves(query: CurveQuery, host: boolean, best: Place | null): CurveSeries[] {
  const { series, size, axis, geometry, tokens } = query
  const color = tokens.metric(series.name)
  const curves: CurveSeries[] = []
  series.lines.forEach((one, at) => {
    const shade = runColor(color, tokens.ground, axis, series.lines.length - 1 - at)
    const [first, last] = drawnPlaces(one.raw, geometry)
    const roomPx = (geometry.right - geometry.left) / Math.max(1, last - first)
    curves.push({
      ...line,
      data: asData(flat(one.raw, first, last, geometry.logarithmic)),
      showSymbol: roomPx >= 4, // closer circles run into one another and hide the line
      showAllSymbol: true,
      symbol: 'circle',
      symbolSize: roomPx < 8 ? 4 : 5,
      lineStyle: host
        ? { width: 1, color: shade, opacity: 0.55 }
        : { width: size === 'main' ? 1.5 : 1.25, color: shade },
      itemStyle: { color: tokens.ground, borderColor: shade, borderWidth: 1.25, opacity: 1 },
      z: host ? 3 : 5,
    })
  })
  if (best) curves.push(dot(geometry, best.line.raw, best.place, color, 7, tokens.ground, 8))
  return curves
}

/** The place of the least value; null where there is none. */
export function bestPlace(series: SeriesFrame | null): Place | null {
  let best: Place | null = null
  let least = Infinity
  for (const one of series?.lines ?? []) {
    one.raw.value.values.forEach((value, place) => {
      if (value < least) {
        least = value
        best = { line: one, place }
      }
    })
  }
  return best
}

/** A dot with a rim of ground, as large as told without its rim. */
export function dot(
  geometry: Geometry,
  points: Points,
  place: number,
  color: string,
  sizePx: number,
  ground: string,
  z: number,
): ScatterSeriesOption {
  return {
    ...scatter,
    clip: true,
    data: flat(points, place, place + 1, geometry.logarithmic),
    symbol: 'circle',
    symbolSize: sizePx + 3,
    itemStyle: { color, borderColor: ground, borderWidth: 3, opacity: 1 },
    z,
  }
}

/** Diamonds on the axis. */
export function checkpointMarks(places: readonly number[], geometry: Geometry, tokens: Tokens): CurveSeries[] {
  const data = places.filter((x) => x >= geometry.x.first && x <= geometry.x.last).map((x) => [x, geometry.y.min])
  if (data.length === 0) return []
  const itemStyle = { color: tokens.ink3, borderColor: tokens.ground, borderWidth: 1, opacity: 1 }
  return [{ ...scatter, data, symbol: 'diamond', symbolSize: 8, itemStyle, z: 9 }]
}

export interface Stretch {
  first: number
  last: number
  /** Non-finite values in it. */
  count: number
}

/** Non-finite values with no finite one between them make one stretch. */
export function nonFiniteStretches(series: SeriesFrame): Stretch[] {
  const stretches: (Stretch & { lastSequence: number })[] = []
  const { sequence, x, count } = series.marks
  for (let at = 0; at < sequence.length; at++) {
    const here = sequence.at(at)
    const open = stretches.at(-1)
    if (open && !finiteBetween(series, open.lastSequence, here)) {
      open.last = x.at(at)
      open.count += count.at(at)
      open.lastSequence = here
    } else {
      stretches.push({ first: x.at(at), last: x.at(at), count: count.at(at), lastSequence: here })
    }
  }
  return stretches.map(({ first, last, count: values }) => ({
    first: Math.min(first, last),
    last: Math.max(first, last),
    count: values,
  }))
}

function finiteBetween(series: SeriesFrame, after: number, before: number): boolean {
  for (const { raw } of series.lines) {
    const sequences = raw.sequence.values
    for (let place = firstFrom(sequences, after + 1); place < sequences.length && sequences[place]! < before; place++) {
      if (Number.isFinite(raw.value.at(place))) return true
    }
  }
  return false
}

/** A red triangle on the axis for each stretch, and a bar along a wide one. */
export function nonFiniteMarks(stretches: readonly Stretch[], geometry: Geometry, tokens: Tokens): CurveSeries[] {
  const inView = stretches.filter((one) => one.last >= geometry.x.first && one.first <= geometry.x.last)
  if (inView.length === 0) return []
  const middles = inView.map((one) => {
    const middle = (Math.max(one.first, geometry.x.first) + Math.min(one.last, geometry.x.last)) / 2
    return [middle, geometry.y.min]
  })
  const marks: CurveSeries[] = [
    {
      ...scatter,
      data: middles,
      symbol: 'triangle',
      symbolSize: [MARK_PX, 8],
      symbolOffset: [0, -5],
      itemStyle: { color: tokens.failed, opacity: 1 },
      z: 10,
    },
  ]
  for (const one of wideStretches(inView, geometry)) {
    const data = Float64Array.of(one.first, geometry.y.min, one.last, geometry.y.min)
    marks.push({ ...line, data: asData(data), lineStyle: { width: 2, color: tokens.failed, cap: 'butt' }, z: 10 })
  }
  return marks
}

/** Stretches in view that are wider than a hair. */
export function wideStretches(stretches: readonly Stretch[], geometry: Geometry): Stretch[] {
  return stretches.filter(
    (one) =>
      one.last >= geometry.x.first &&
      one.first <= geometry.x.last &&
      toX(geometry, one.last) - toX(geometry, one.first) >= 2,
  )
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
