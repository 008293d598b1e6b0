/** What is drawn besides the curves, as ECharts series: evaluations, checkpoints, ends, and where a value was not a number. */
import type { ScatterSeriesOption } from 'echarts/charts'
import { asData, drawnPlaces, flat, LINE, runColor, type CurveQuery, type CurveSeries } from './curves'
import { toX, type Geometry } from './geometry'
import type { Tokens } from './tokens'
import { firstFrom, type Line, type Points, type SeriesFrame } from '@/data/frame'

const MARK_PX = 9

const scatter: ScatterSeriesOption = {
  type: 'scatter',
  silent: true,
  animation: false,
  clip: false,
  dimensions: ['x', 'y'],
  emphasis: { disabled: true },
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
      ...LINE,
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

/** Non-finite values of a run with no finite one between them make one stretch. */
export function nonFiniteStretches(series: SeriesFrame): Stretch[] {
  return series.lines.flatMap(stretchesOf)
}

function stretchesOf(line: Line): Stretch[] {
  const stretches: Stretch[] = []
  const { sequence, x, count } = line.marks
  for (let at = 0; at < sequence.length; at++) {
    const open = stretches.at(-1)
    if (open && !finiteBetween(line, sequence.at(at - 1), sequence.at(at))) {
      open.last = x.at(at)
      open.count += count.at(at)
    } else {
      stretches.push({ first: x.at(at), last: x.at(at), count: count.at(at) })
    }
  }
  return stretches
}

function finiteBetween({ raw }: Line, after: number, before: number): boolean {
  const sequences = raw.sequence.values
  for (let place = firstFrom(sequences, after + 1); place < sequences.length && sequences[place]! < before; place++) {
    if (Number.isFinite(raw.value.at(place))) return true
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
    marks.push({ ...LINE, data: asData(data), lineStyle: { width: 2, color: tokens.failed, cap: 'butt' }, z: 10 })
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
