/**
 * All that is written and ruled on the canvas around the curves, as ECharts graphics, so that an exported picture holds it:
 * runs and what changed in them, separators, the values at the lines' ends, the best evaluation.
 *
 * A label gives way rather than lie over another: the value labels move apart, a change is left out before a run's name is.
 */
import { covered, runColor } from './curves'
import { isInside, overlaps, spread, toX, toY, type Box, type Geometry } from './geometry'
import { lastFinite, LINE_PX, text, type Graphic, type LabelQuery } from './graphics'
import { wideStretches, type Place, type Stretch } from './marks'
import { endedLabels, runLabels, separator, starts } from './run-labels'
import type { Tokens } from './tokens'
import { metricValue } from '@/data/figures'
import type { Points, SeriesFrame } from '@/data/frame'
import type { Language } from '@/data/language'

const VALUE_GAP_PX = 17

export interface LineEnd {
  y: number
  text: string
  color: string
}

/** Values at the right of the plot, in their lines' colours, kept apart. */
export function endLabels(ends: readonly LineEnd[], geometry: Geometry, tokens: Tokens): Graphic[] {
  const heights = spread(
    ends.map((end) => end.y),
    VALUE_GAP_PX,
    geometry.top,
    geometry.bottom - 6,
  )
  return ends.map((end, at) =>
    text(tokens, end.text, { x: geometry.right + 8, y: heights[at]! }, { color: end.color, weight: 600 }),
  )
}

/** The value at the end of the newest line, where that end is in view; the raw one where the smoothed line has left the picture. */
export function lineEnd(
  series: SeriesFrame,
  smoothed: boolean,
  geometry: Geometry,
  color: string,
  language: Language,
): (LineEnd & { place: Place; smooth: boolean }) | null {
  const line = series.lines.findLast((one) => one.raw.x.length > 0)
  if (!line) return null
  const endOf = (points: Points, smooth: boolean) => {
    const place = lastFinite(points.value.values)
    if (place < 0) return null
    const x = points.x.at(place)
    if (x < geometry.x.first || x > geometry.x.last) return null
    const value = points.value.at(place)
    const y = toY(geometry, value)
    if (Number.isNaN(y)) return null
    return { y, text: metricValue(series.name, value, language), color, place: { line, place }, smooth }
  }
  const raw = endOf(line.raw, false)
  const smooth = smoothed && line.smooth && line.smooth.x.length > 0 ? endOf(line.smooth, true) : null
  return smooth && (!raw || isInside(geometry, smooth.y)) ? smooth : raw
}

function bestLabel(query: LabelQuery, best: Place | null, taken: Box[]): Graphic[] {
  const { evaluations, geometry, tokens, words, language, measure } = query
  if (!best || !evaluations || query.size === 'small') return []
  const { raw } = best.line
  // The newest one's value stands at the line's end, beside its filled circle.
  if (best.line === evaluations.lines.at(-1) && best.place === lastFinite(raw.value.values)) return []
  const x = raw.x.at(best.place)
  if (x < geometry.x.first || x > geometry.x.last) return []
  const content = `${words.best} ${metricValue(evaluations.name, raw.value.at(best.place), language)}`
  const width = measure(content, true)
  const point = { x: toX(geometry, x), y: toY(geometry, raw.value.at(best.place)) }
  const centred = Math.min(geometry.right - width, Math.max(geometry.left, point.x - width / 2))
  const boxes = [point.y + 8, point.y - 8 - LINE_PX, point.y + 26, point.y - 26 - LINE_PX].map((top) => ({
    left: centred,
    top,
    width,
    height: LINE_PX,
  }))
  const cost = (box: Box): number => {
    const outside = box.top < geometry.top || box.top + LINE_PX > geometry.bottom - 6
    const on = covered(query.series, geometry, box) + covered(evaluations, geometry, box) * 4
    return (outside ? 1e6 : 0) + taken.filter((one) => overlaps(one, box)).length * 1e4 + on
  }
  const box = boxes.reduce((a, b) => (cost(b) < cost(a) ? b : a))
  taken.push(box)
  const color = runColor(tokens.metric(evaluations.name), tokens.ground, query.axis, 0)
  const at = { x: box.left, y: box.top + LINE_PX / 2 }
  return [text(tokens, content, at, { color, weight: 500, halo: true })]
}

/** A faint band over each wide stretch of non-finite values. */
function bands(stretches: readonly Stretch[], geometry: Geometry, tokens: Tokens): Graphic[] {
  return wideStretches(stretches, geometry).map((one) => {
    const left = Math.max(geometry.left, toX(geometry, one.first))
    const right = Math.min(geometry.right, toX(geometry, one.last))
    return {
      type: 'rect',
      silent: true,
      z: 1,
      shape: { x: left, y: geometry.top, width: right - left, height: geometry.bottom - geometry.top },
      style: { fill: tokens.failed, opacity: 0.1 },
    }
  })
}

/** Everything but the values at the lines' ends. */
export function annotations(query: LabelQuery, best: Place | null, stretches: readonly Stretch[]): Graphic[] {
  const { geometry, tokens, words, size } = query
  const begun = starts(query)
  const graphics = [
    ...bands(stretches, geometry, tokens),
    ...begun.filter((start) => start.ruled).map((start) => separator(geometry, start.px, tokens)),
  ]
  if (size === 'small') return graphics
  const taken = begun
    .filter((start) => start.ruled)
    .map((start) => ({ left: start.px, top: geometry.top, width: 1, height: geometry.bottom - geometry.top }))
  graphics.push(...runLabels(query, begun), ...bestLabel(query, best, taken))
  if (query.axis !== 'sequence' && query.axis !== 'time') graphics.push(...endedLabels(query, taken))
  const unit = { x: query.unitX, y: geometry.bottom + 14 }
  graphics.push(text(tokens, words.unit, unit, { color: tokens.ink3 }))
  return graphics
}
