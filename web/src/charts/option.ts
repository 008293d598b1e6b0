/**
 * The planner: what is known and what is looked at, in; what ECharts draws and where everything stands, out.
 *
 * Pure: no canvas, no document, no clock. A chart is planned from scratch each time; nothing of the picture before is patched,
 * but for the value range that stays while it fits (`previous`).
 */
import type { GridComponentOption } from 'echarts/components'
import type { ComposeOption } from 'echarts/core'
import type { CustomSeriesOption } from 'echarts/charts'
import { axisTicks, type Tick } from './axes'
import { metricCurves, runColor } from './curves'
import {
  bestPlace,
  checkpointMarks,
  dot,
  evaluationCurves,
  nonFiniteBars,
  nonFiniteMarks,
  nonFiniteStretches,
  type Stretch,
} from './marks'
import { plotEdges, toX, type ChartSize, type Geometry } from './geometry'
import { lastFinite, text, type ChartWords, type Graphic, type Measure } from './graphics'
import { annotations, endLabels, lineEnd } from './labels'
import { pictureSeries, type Curve, type Mark } from './picture'
import { placesIn, valueExtent, type Extent } from './range'
import { decimalsOf, powerTicks, valueTicks } from './ticks'
import type { Tokens } from './tokens'
import { exponent, integer, metricValue } from '@/data/figures'
import { firstFrom, type SeriesFrame } from '@/data/frame'
import type { Language } from '@/data/language'
import { metricKind, type MetricKind } from '@/data/metrics'
import type { Span } from '@/data/view'
import type { Axis, Checkpoint, Finding, Run } from '@/wire'

export type ChartOption = ComposeOption<GridComponentOption | CustomSeriesOption> & {
  graphic?: { elements: Graphic[] }
}

export interface PlanInput {
  series: SeriesFrame
  /** The evaluation loss, where this chart shows it too. */
  evaluations: SeriesFrame | null
  runs: readonly Run[]
  checkpoints: readonly Checkpoint[]
  findings: readonly Finding[]
  size: ChartSize
  /** Of the chart's box, in pixels. */
  width: number
  height: number
  axis: Axis
  /** The part of the axis in view. */
  view: Span
  zoomed: boolean
  fit: boolean
  logarithmic: boolean
  /** The first chart on the page also says what changed from run to run. */
  withChanges: boolean
  tokens: Tokens
  words: ChartWords
  language: Language
  measure: Measure
  previous: Extent | null
  /** Drawn into the picture where it stands alone, as in an export. */
  title?: string
}

export interface Plan {
  option: ChartOption
  /** What the option's one series draws. */
  curves: Curve[]
  marks: Mark[]
  geometry: Geometry
  extent: Extent
  ticks: Tick[]
  /** Where the labels of the axis stand, its unit among them: the crosshair's own label covers whole ones. */
  labels: Label[]
  /** Non-finite values in the series. */
  nonFinite: number
  hasEvaluations: boolean
  hasCheckpoints: boolean
  /** Points of the raw line in view, and raw points behind what is drawn; `exact` where these are the same points. */
  drawn: number
  behind: number
  exact: boolean
}

const TITLE_PX = 32

/** Null where there is nothing finite in view. */
export function planChart(input: PlanInput): Plan | null {
  const { series, size, axis, view, tokens, language, evaluations } = input
  const kind = metricKind(series.name)
  const extent = valueExtent({
    series,
    kind,
    evaluations,
    view,
    zoomed: input.zoomed,
    fit: input.fit,
    logarithmic: input.logarithmic,
    pointedAt: input.findings.map((one) => ({ first: one.first_sequence, last: one.last_sequence })),
    previous: input.previous,
  })
  if (extent === null) return null

  const values = yTicks(extent, input.logarithmic, kind, size, language)
  const labelWidth = Math.max(0, ...values.map((tick) => input.measure(tick.label, false)))
  const geometry: Geometry = {
    ...plotEdges(
      size,
      input.width,
      input.height,
      { left: labelWidth, right: endWidth(input, kind) },
      input.title === undefined ? 0 : TITLE_PX,
    ),
    width: input.width,
    height: input.height,
    x: view,
    y: { min: extent.min, max: extent.max },
    logarithmic: input.logarithmic,
  }
  const widthPx = geometry.right - geometry.left
  const ticks = axisTicks({ axis, view, series, runs: input.runs, widthPx, small: size === 'small', language })
  const unitX = placeUnit(input, geometry, ticks)
  const stretches = nonFiniteStretches(series)
  const best = bestPlace(kind.sparse ? series : evaluations)
  const { ends, dots } = endsOf(input, kind, geometry)
  const curves = curvesOf(input, kind, geometry, stretches)
  const marks = [...marksOf(input, kind, geometry, best, stretches), ...dots]
  const graphics = [
    ...axisLabels(geometry, ticks, values, tokens),
    ...annotations({ ...input, geometry, unitX, evaluations: kind.sparse ? series : evaluations }, best, stretches),
    ...endLabels(ends, geometry, tokens),
    ...titleOf(input),
  ]
  return {
    option: {
      animation: false,
      backgroundColor: 'transparent',
      textStyle: { fontFamily: tokens.font },
      grid: gridOf(geometry),
      xAxis: xAxis(geometry, ticks, tokens),
      yAxis: yAxis(geometry, values, tokens),
      series: [pictureSeries(curves, marks, geometry)],
      graphic: { elements: graphics },
    },
    curves,
    marks,
    geometry,
    extent,
    ticks,
    labels: [
      ...ticks.map((tick) => tickBox(tick, geometry, input.measure)),
      ...(size === 'main' ? [{ left: unitX, width: input.measure(input.words.unit, false) }] : []),
    ],
    nonFinite: stretches.reduce((sum, one) => sum + one.count, 0),
    hasEvaluations: evaluations !== null && evaluations.lines.some((line) => line.raw.x.length > 0),
    hasCheckpoints: input.checkpoints.length > 0 && series.name === 'loss',
    ...pointsBehind(series, view, input.zoomed),
  }
}

/** Room for the value at the line's end: `1.16e-4` is wider than most. */
function endWidth(input: PlanInput, kind: MetricKind): number {
  const line = input.series.lines.findLast((one) => one.raw.x.length > 0)
  const points = (kind.smoothed ? line?.smooth : null) ?? line?.raw
  const place = points ? lastFinite(points.value.values) : -1
  if (!points || place < 0) return 0
  return input.measure(metricValue(input.series.name, points.value.at(place), input.language), true)
}

function curvesOf(input: PlanInput, kind: MetricKind, geometry: Geometry, stretches: readonly Stretch[]): Curve[] {
  const { series, evaluations, size, axis, tokens } = input
  const query = { series, kind, size, axis, geometry, tokens }
  return [
    ...(kind.sparse ? evaluationCurves(query, false) : metricCurves(query)),
    ...(evaluations ? evaluationCurves({ ...query, series: evaluations }, true) : []),
    ...nonFiniteBars(stretches, geometry, tokens),
  ]
}

function marksOf(
  input: PlanInput,
  kind: MetricKind,
  geometry: Geometry,
  best: ReturnType<typeof bestPlace>,
  stretches: readonly Stretch[],
): Mark[] {
  const { series, evaluations, tokens } = input
  const evaluated = kind.sparse ? series : evaluations
  return [
    ...(best && evaluated
      ? [dot(geometry, best.line.raw, best.place, tokens.metric(evaluated.name), 7, tokens.ground, 8)]
      : []),
    ...(series.name === 'loss' ? checkpointMarks(checkpointPlaces(input), geometry, tokens) : []),
    ...nonFiniteMarks(stretches, geometry, tokens),
  ]
}

/** Where the checkpoints stand on the axis; on axes other than sequence and step, at the logged point nearest before. */
function checkpointPlaces(input: PlanInput): number[] {
  const { axis, series } = input
  return input.checkpoints.flatMap((checkpoint) => {
    if (axis === 'sequence') return [checkpoint.sequence]
    if (axis === 'step') return checkpoint.step === null ? [] : [checkpoint.step]
    if (axis === 'time') return [checkpoint.time]
    const line = series.lines.find((one) => one.run === checkpoint.run)
    if (!line || line.raw.x.length === 0) return []
    const place = firstFrom(line.raw.sequence.values, checkpoint.sequence)
    return [line.raw.x.at(Math.max(0, Math.min(place, line.raw.x.length) - 1))]
  })
}

function endsOf(input: PlanInput, kind: MetricKind, geometry: Geometry) {
  const { series, evaluations, tokens, language, size, axis } = input
  const color = tokens.metric(series.name)
  const dots: Mark[] = []
  const end = lineEnd(series, kind.smoothed, geometry, color, language)
  const ends = end ? [end] : []
  if (end && !kind.sparse) {
    const points = end.smooth ? end.place.line.smooth! : end.place.line.raw
    dots.push(dot(geometry, points, end.place.place, color, size === 'small' ? 5 : 7, tokens.ground, 12))
  }
  const evaluated = evaluations
    ? lineEnd(evaluations, false, geometry, tokens.metric(evaluations.name), language)
    : null
  if (evaluated) ends.push(evaluated)
  if (axis === 'step' || axis === 'epoch' || axis === 'relative' || axis === 'tokens') {
    series.lines.slice(0, -1).forEach((line, at) => {
      if (kind.sparse) return
      const points = (kind.smoothed ? line.smooth : null) ?? line.raw
      const place = lastFinite(points.value.values)
      const shade = runColor(color, tokens.ground, axis, series.lines.length - 1 - at)
      if (place >= 0) dots.push(dot(geometry, points, place, shade, size === 'small' ? 4 : 6, tokens.ground, 11))
    })
  }
  return { ends, dots }
}

/** Where the axis' unit begins: after the last label, which gives way only where the unit would leave the picture. */
function placeUnit(input: PlanInput, geometry: Geometry, ticks: Tick[]): number {
  const nearest = geometry.right + 8
  if (input.size === 'small') return nearest
  const room = input.width - input.measure(input.words.unit, false) - 2
  for (;;) {
    const last = ticks.at(-1)
    if (!last) return nearest
    const { left, width } = tickBox(last, geometry, input.measure)
    const after = Math.max(nearest, left + width + 6)
    if (after <= room) return after
    ticks.pop()
  }
}

function titleOf(input: PlanInput): Graphic[] {
  if (input.title === undefined) return []
  return [text(input.tokens, input.title, { x: 16, y: 18 }, { color: input.tokens.ink, weight: 600, sizePx: 13 })]
}

interface ValueTick {
  value: number
  label: string
}

function yTicks(
  extent: Extent,
  logarithmic: boolean,
  kind: MetricKind,
  size: ChartSize,
  language: Language,
): ValueTick[] {
  if (logarithmic) {
    return powerTicks(extent.min, extent.max).map((value) => ({ value, label: logLabel(10 ** value, language) }))
  }
  const { ticks, step } = valueTicks(extent.min, extent.max, size === 'small' ? 3 : 5)
  const decimals = decimalsOf(step)
  const tiny = kind.form === 'exponent' || decimals > 4 || extent.max >= 1e7
  return ticks.map((value) => ({
    value,
    label: tiny ? exponent(value, 2) : decimals > 0 ? value.toFixed(decimals) : integer(value, language),
  }))
}

function logLabel(value: number, language: Language): string {
  if (value >= 1e5 || value < 1e-3) return exponent(value, 1)
  return value >= 1000 ? integer(value, language) : String(Number(value.toPrecision(3)))
}

function gridOf(geometry: Geometry) {
  return {
    left: geometry.left,
    top: geometry.top,
    width: geometry.right - geometry.left,
    height: geometry.bottom - geometry.top,
    outerBoundsMode: 'none' as const, // ECharts would move the plot for its labels, and our own places would be off
  }
}

/** Written here and not by the axes: ECharts takes 0.6 ms a chart to find places for labels whose places are known. */
function axisLabels(
  geometry: Geometry,
  ticks: readonly Tick[],
  values: readonly ValueTick[],
  tokens: Tokens,
): Graphic[] {
  const { left, bottom, y } = geometry
  const heightOf = (value: number) => bottom - ((value - y.min) / (y.max - y.min)) * (bottom - geometry.top)
  return [
    ...ticks.map((tick) =>
      text(tokens, tick.label, { x: toX(geometry, tick.x), y: bottom + 14 }, { color: tokens.ink3, align: 'center' }),
    ),
    ...values.map((tick) =>
      text(tokens, tick.label, { x: left - 8, y: heightOf(tick.value) }, { color: tokens.ink3, align: 'right' }),
    ),
  ]
}

function xAxis(geometry: Geometry, ticks: readonly Tick[], tokens: Tokens): NonNullable<ChartOption['xAxis']> {
  const places = ticks.map((tick) => tick.x)
  return {
    type: 'value',
    min: geometry.x.first,
    max: geometry.x.last,
    axisLine: { show: true, onZero: false, lineStyle: { color: tokens.edge, opacity: 0.7, width: 1 } },
    splitLine: { show: false },
    axisTick: { show: true, length: 4, customValues: places, lineStyle: { color: tokens.edge, opacity: 0.7 } },
    axisLabel: { show: false },
  }
}

function yAxis(geometry: Geometry, ticks: readonly ValueTick[], tokens: Tokens): NonNullable<ChartOption['yAxis']> {
  const places = ticks.map((tick) => tick.value)
  return {
    type: 'value',
    min: geometry.y.min,
    max: geometry.y.max,
    axisLine: { show: false },
    axisTick: { show: false, customValues: places },
    splitLine: { customValues: places, lineStyle: { color: tokens.grid, width: 1 } } as object,
    axisLabel: { show: false },
  }
}

/** Thinned and zoomed, the window's points are shared out by the part in view: an estimate, and `exact` says so. */
function pointsBehind(series: SeriesFrame, view: Span, zoomed: boolean): Pick<Plan, 'drawn' | 'behind' | 'exact'> {
  let drawn = 0
  let all = 0
  for (const line of series.lines) {
    const [first, last] = placesIn(line, view)
    drawn += last - first
    all += line.raw.x.length
  }
  if (series.bucket <= 1) return { drawn, behind: drawn, exact: true }
  if (!zoomed) return { drawn, behind: series.points, exact: true }
  return { drawn, behind: Math.round((series.points * drawn) / Math.max(1, all)), exact: false }
}

export interface Label {
  left: number
  width: number
}

function tickBox(tick: Tick, geometry: Geometry, measure: Measure): Label {
  const width = measure(tick.label, false)
  return { left: toX(geometry, tick.x) - width / 2, width }
}
