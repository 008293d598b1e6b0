/**
 * All that is written and ruled on the canvas around the curves, as ECharts graphics, so that an exported picture holds it:
 * runs and what changed in them, separators, the values at the lines' ends, the best evaluation.
 *
 * A label gives way rather than lie over another: the value labels move apart, a change is left out before a run's name is.
 */
import { changeTexts } from './changes'
import { covered, runColor, type Place, type Stretch, wideStretches } from './curves'
import { overlaps, spread, toX, toY, type Box, type ChartSize, type Geometry } from './geometry'
import type { Tokens } from './tokens'
import { metricValue } from '@/data/figures'
import type { SeriesFrame } from '@/data/frame'
import type { Language } from '@/data/language'
import type { Axis, Checkpoint, Run } from '@/wire'

/** The page's words for what is drawn, in the language on screen. */
export interface ChartWords {
  run(number: number): string
  resumed(step: number): string
  /** What a run's end is called, by how it ended; empty where it is not worth a word. */
  ended(run: Run): string
  best: string
  /** The axis' unit, beside its last tick. */
  unit: string
}

export type Measure = (text: string, bold: boolean) => number

/** Text widths without a canvas: a Chinese character is as wide as it is high, a Latin one a little over half. */
export const estimate: Measure = (text, bold) => {
  let width = 0
  for (const letter of text) width += letter.codePointAt(0)! > 0x2e7f ? 12 : bold ? 7 : 6.6
  return width
}

export interface Graphic {
  type: 'text' | 'line' | 'rect'
  silent: true
  z: number
  x?: number
  y?: number
  shape?: Record<string, number>
  style: Record<string, unknown>
}

const TEXT_PX = 12
const LINE_PX = 16
const VALUE_GAP_PX = 17

export interface LabelQuery {
  series: SeriesFrame
  evaluations: SeriesFrame | null
  size: ChartSize
  axis: Axis
  geometry: Geometry
  /** Where the axis' unit begins. */
  unitX: number
  runs: readonly Run[]
  checkpoints: readonly Checkpoint[]
  /** What changed is written in one chart only. */
  withChanges: boolean
  tokens: Tokens
  words: ChartWords
  language: Language
  measure: Measure
}

export function text(
  tokens: Tokens,
  content: string,
  at: { x: number; y: number },
  style: { color: string; weight?: number; align?: 'left' | 'center' | 'right'; halo?: boolean; sizePx?: number },
): Graphic {
  return {
    type: 'text',
    silent: true,
    z: 20,
    x: at.x,
    y: at.y,
    style: {
      text: content,
      fill: style.color,
      fontSize: style.sizePx ?? TEXT_PX,
      fontFamily: tokens.font,
      fontWeight: style.weight ?? 400,
      align: style.align ?? 'left',
      verticalAlign: 'middle',
      ...(style.halo ? { stroke: tokens.ground, lineWidth: 4, lineJoin: 'round' } : {}),
    },
  }
}

function separator(geometry: Geometry, px: number, tokens: Tokens): Graphic {
  const x = Math.round(px) + 0.5
  return {
    type: 'line',
    silent: true,
    z: 1,
    shape: { x1: x, y1: geometry.top, x2: x, y2: geometry.bottom },
    style: { stroke: tokens.edge, lineWidth: 1, lineDash: [3, 3] },
  }
}

interface Start {
  run: Run
  px: number
  /** False for the run that the view begins with. */
  ruled: boolean
}

/** The runs' starts in view, from left to right. By step only runs that resumed have one: the others all begin at 0. */
function starts(query: LabelQuery): Start[] {
  const { geometry, axis, runs, series } = query
  const found: Start[] = []
  if (axis === 'sequence' || axis === 'time') {
    const place = (run: Run) => (axis === 'time' ? run.started : run.first_sequence! - 0.5)
    const began = runs.filter((run) => run.first_sequence !== null).sort((a, b) => place(a) - place(b))
    began.forEach((run, at) => {
      const x = at === 0 ? geometry.x.first : place(run)
      const next = at + 1 < began.length ? place(began[at + 1]!) : Infinity
      if (x > geometry.x.last || next <= geometry.x.first) return
      const ruled = at > 0 && x > geometry.x.first
      found.push({ run, px: ruled ? toX(geometry, x) : geometry.left, ruled })
    })
    return found
  }
  if (axis !== 'step') return found
  for (const run of runs) {
    const step = resumedAt(run, series, query.checkpoints)
    if (step <= 0 || step < geometry.x.first || step > geometry.x.last) continue
    found.push({ run, px: toX(geometry, step), ruled: true })
  }
  return found.sort((a, b) => a.px - b.px)
}

/**
 * The step from which a run resumed, or 0 where it started from scratch: the checkpoint of an earlier run right before its first
 * logged step; where none is known, one logging interval before it.
 */
export function resumedAt(run: Run, series: SeriesFrame, checkpoints: readonly Checkpoint[]): number {
  const steps = series.lines.find((one) => one.run === run.number)?.raw.step
  const first = run.first_step ?? steps?.at(0) ?? 0
  if (run.number === 1 || !(first > 0)) return 0
  const logged = steps && steps.length > 1 ? Math.max(1, steps.at(1) - steps.at(0)) : 1
  const known = checkpoints
    .filter((one) => one.run < run.number && one.step !== null && one.step <= first && first - one.step <= logged)
    .map((one) => one.step!)
  if (known.length > 0) return Math.max(...known)
  return first > 3 * logged ? first - logged : 0
}

function runLabels(query: LabelQuery, begun: readonly Start[]): Graphic[] {
  const { geometry, tokens, words, measure, axis } = query
  const y = geometry.top - 14
  const graphics: Graphic[] = []
  begun.forEach((start, at) => {
    const left = start.ruled ? start.px + 6 : start.px
    const room = (begun[at + 1]?.px ?? geometry.right + 40) - left - 8
    const name = words.run(start.run.number)
    const nameWidth = measure(name, true)
    if (room < nameWidth) return
    graphics.push(text(tokens, name, { x: left, y }, { color: tokens.ink, weight: 600 }))
    if (!query.withChanges) return
    const said = changeTexts(start.run.changes)
    const resumed = resumedAt(start.run, query.series, query.checkpoints)
    if (resumed > 0 && (axis === 'step' || said.length === 0)) said.unshift(words.resumed(resumed))
    let detail = ''
    for (const one of said) {
      const longer = detail ? `${detail}, ${one}` : one
      if (nameWidth + 6 + measure(longer, false) > room) break
      detail = longer
    }
    if (detail) graphics.push(text(tokens, detail, { x: left + nameWidth + 7, y }, { color: tokens.ink2 }))
  })
  return graphics
}

/** By step: a dot's label at the end of each older run, where it covers least. */
function endedLabels(query: LabelQuery, taken: Box[]): Graphic[] {
  const { series, geometry, tokens, words, measure, runs, axis } = query
  const graphics: Graphic[] = []
  series.lines.slice(0, -1).forEach((line) => {
    const points = line.smooth ?? line.raw
    const place = lastFinite(points.value.values)
    const run = runs.find((one) => one.number === line.run)
    if (place < 0 || !run) return
    const x = toX(geometry, points.x.at(place))
    const y = toY(geometry, points.value.at(place))
    if (x < geometry.left || x > geometry.right || !(y >= geometry.top && y <= geometry.bottom)) return
    const name = words.run(run.number)
    const ended = query.withChanges && axis === 'step' ? words.ended(run) : ''
    const nameWidth = measure(name, true)
    const width = nameWidth + (ended ? 6 + measure(ended, false) : 0)
    const box = freest(query, taken, x, y, width)
    taken.push(box)
    const middle = { x: box.left, y: box.top + LINE_PX / 2 }
    graphics.push(text(tokens, name, middle, { color: tokens.ink, weight: 600, halo: true }))
    if (ended) {
      const after = { ...middle, x: middle.x + nameWidth + 6 }
      graphics.push(text(tokens, ended, after, { color: tokens.ink2, halo: true }))
    }
  })
  return graphics
}

/** Of the boxes around a point the one inside the plot that covers the fewest labels, then the fewest points. */
function freest(query: LabelQuery, taken: readonly Box[], x: number, y: number, width: number): Box {
  const { geometry, series } = query
  const boxes: Box[] = []
  for (const top of [y - LINE_PX - 6, y + 6, y - LINE_PX / 2]) {
    for (const left of [x + 6, x - width - 6, x - width / 2]) boxes.push({ left, top, width, height: LINE_PX })
  }
  let best = boxes[0]!
  let least = Infinity
  for (const box of boxes) {
    const outside =
      box.left < geometry.left ||
      box.left + width > geometry.right ||
      box.top < geometry.top ||
      box.top + LINE_PX > geometry.bottom
    const cost =
      (outside ? 1e6 : 0) +
      taken.filter((one) => overlaps(one, box)).length * 1e4 +
      covered(series, geometry, box) +
      (query.evaluations ? covered(query.evaluations, geometry, box) * 8 : 0)
    if (cost < least) {
      least = cost
      best = box
    }
  }
  return best
}

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

/** The value at the end of the newest line, where that end is in view. */
export function lineEnd(
  series: SeriesFrame,
  smoothed: boolean,
  geometry: Geometry,
  color: string,
  language: Language,
): (LineEnd & { place: Place; smooth: boolean }) | null {
  const line = series.lines.findLast((one) => one.raw.x.length > 0)
  if (!line) return null
  const smooth = smoothed && line.smooth !== null && line.smooth.x.length > 0
  const points = smooth ? line.smooth! : line.raw
  const place = lastFinite(points.value.values)
  if (place < 0) return null
  const x = points.x.at(place)
  if (x < geometry.x.first || x > geometry.x.last) return null
  const value = points.value.at(place)
  const y = toY(geometry, value)
  if (Number.isNaN(y)) return null
  return { y, text: metricValue(series.name, value, language), color, place: { line, place }, smooth }
}

function bestLabel(query: LabelQuery, best: Place | null, taken: Box[]): Graphic[] {
  const { evaluations, geometry, tokens, words, language, measure } = query
  if (!best || !evaluations || query.size === 'small') return []
  const { raw } = best.line
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

export function lastFinite(values: Float64Array): number {
  for (let place = values.length - 1; place >= 0; place--) if (Number.isFinite(values[place])) return place
  return -1
}
