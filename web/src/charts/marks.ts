/** What is drawn besides the curves: evaluations, checkpoints, ends, and where a value was not a number. */
import { drawnPlaces, drawnValue, flatColumns, runColor, type CurveQuery } from './curves'
import { toX, type Geometry } from './geometry'
import type { Curve, Mark } from './picture'
import type { Tokens } from './tokens'
import { firstFrom, type Line, type Points, type SeriesFrame } from '@/data/frame'

const MARK_PX = 9

export interface Place {
  line: Line
  place: number
}

/** Evaluations: open circles on a thin line. `host`: drawn into the chart of another metric. */
export function evaluationCurves(query: CurveQuery, host: boolean): Curve[] {
  const { series, size, axis, geometry, tokens } = query
  return series.lines.map((one, at): Curve => {
    const color = runColor(tokens.metric(series.name), tokens.ground, axis, series.lines.length - 1 - at)
    const [first, last] = drawnPlaces(one.raw, geometry)
    const roomPx = (geometry.right - geometry.left) / Math.max(1, last - first)
    return {
      data: flatColumns(one.raw, first, last, geometry),
      color,
      widthPx: host ? 1 : size === 'main' ? 1.5 : 1.25,
      opacity: host ? 0.55 : 1,
      join: 'bevel',
      // Closer circles run into one another and hide the line.
      ...(roomPx >= 4 ? { circles: { sizePx: roomPx < 8 ? 4 : 5, fill: tokens.ground, rim: color, rimPx: 1.25 } } : {}),
      z: host ? 3 : 5,
    }
  })
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
): Mark {
  return {
    symbol: 'circle',
    x: points.x.at(place),
    y: drawnValue(points.value.at(place), geometry.logarithmic),
    sizePx: [sizePx + 3, sizePx + 3],
    raisedPx: 0,
    fill: color,
    rim: ground,
    rimPx: 3,
    inside: true,
    z,
  }
}

/** Diamonds on the axis. */
export function checkpointMarks(places: readonly number[], geometry: Geometry, tokens: Tokens): Mark[] {
  return places
    .filter((x) => x >= geometry.x.first && x <= geometry.x.last)
    .map((x) => ({
      symbol: 'diamond',
      x,
      y: geometry.y.min,
      sizePx: [8, 8],
      raisedPx: 0,
      fill: tokens.ink3,
      rim: tokens.ground,
      rimPx: 1,
      inside: false,
      z: 9,
    }))
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

/** A red triangle on the axis for each stretch. */
export function nonFiniteMarks(stretches: readonly Stretch[], geometry: Geometry, tokens: Tokens): Mark[] {
  return stretches
    .filter((one) => one.last >= geometry.x.first && one.first <= geometry.x.last)
    .map((one) => ({
      symbol: 'triangle',
      x: (Math.max(one.first, geometry.x.first) + Math.min(one.last, geometry.x.last)) / 2,
      y: geometry.y.min,
      sizePx: [MARK_PX, 8],
      raisedPx: 5,
      fill: tokens.failed,
      rim: tokens.failed,
      rimPx: 0,
      inside: false,
      z: 10,
    }))
}

/** And a bar along a wide one. */
export function nonFiniteBars(stretches: readonly Stretch[], geometry: Geometry, tokens: Tokens): Curve[] {
  return wideStretches(stretches, geometry).map((one) => ({
    data: Float64Array.of(one.first, geometry.y.min, one.last, geometry.y.min),
    widthPx: 2,
    color: tokens.failed,
    opacity: 1,
    join: 'bevel',
    z: 10,
  }))
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
