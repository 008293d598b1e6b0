/**
 * What all charts of the page have in common: one axis, one set of colours and words, one order. It turns the session's state
 * into the planner's input, for a chart on the page as for one in an exported picture.
 */
import { computed, effectScope, shallowRef, watch, type ComputedRef, type ShallowRef } from 'vue'
import { axisExtent } from './axes'
import { hurry } from './draw-queue'
import type { ChartSize } from './geometry'
import type { ChartWords, Measure } from './graphics'
import { canvasMeasure } from './measure'
import type { PlanInput } from './option'
import { useTokens, type Tokens } from './tokens'
import { integer } from '@/data/figures'
import type { SeriesFrame } from '@/data/frame'
import type { Language } from '@/data/language'
import { METRIC_ORDER, metricKind } from '@/data/metrics'
import { useSession, type Session } from '@/data/session'
import type { Span } from '@/data/view'
import { POINTS } from '@/data/windows'
import { i18n } from '@/i18n'
import { isExplained } from '@/i18n/metric-names'
import type { Axis, Run } from '@/wire'

export interface Stage {
  session: Session
  tokens: ShallowRef<Tokens>
  measure: ComputedRef<Measure>
  words: ComputedRef<ChartWords>
  /** How far the axis reaches when nothing is zoomed; null while there is no point. */
  whole: ComputedRef<Span | null>
  /** What is in view. */
  view: ComputedRef<Span | null>
  /** The metrics that are drawn, in the order of the charts: the rows of the joint tooltip. */
  order: ComputedRef<string[]>
  /** GPU and system figures while their charts are open, placed by time: further rows of the joint tooltip. */
  system: ShallowRef<readonly SystemCurve[]>
  seriesOf(metric: string): SeriesFrame | null
  /** Everything a chart is planned from; null while there is nothing to draw. */
  input(metric: string, size: ChartSize, width: number, height: number): PlanInput | null
}

export interface SystemCurve {
  title: string
  unit: string
  series: SeriesFrame
}

const UNITS: Record<Axis, string> = {
  sequence: 'chart.step',
  step: 'chart.step',
  epoch: 'chart.epoch',
  time: 'chart.time',
  relative: 'chart.time',
  tokens: 'chart.tokens',
}

function say(key: string, values: Record<string, unknown> = {}): string {
  return i18n.global.t(key, values)
}

export function chartTitle(metric: string): string {
  return isExplained(metric) ? say(`charts.${metric}.title`) : metric
}

/** On a canvas there is no `text-autospace`: Chinese and figures are parted by thin spaces. */
function drawnWords(axis: Axis, language: Language): ChartWords {
  const tight = (text: string) => (language === 'zh' ? text.replaceAll(' ', '\u2009') : text)
  const ended = (run: Run): string => {
    if (run.last_step === null) return ''
    const step = integer(run.last_step, language)
    if (run.status === 'stopped') return tight(say('chart.stoppedAt', { step }))
    return run.status === 'failed' ? tight(say('chart.failedAt', { step })) : ''
  }
  return {
    run: (n) => tight(say('chart.runNumber', { n })),
    resumed: (step) => tight(say('chart.resumed', { step: integer(step, language) })),
    ended,
    best: say('chart.best'),
    unit: say(UNITS[axis]),
  }
}

function createStage(session: Session): Stage {
  const { settings } = session
  const tokens = useTokens(() => session.theme.value)
  const measure = computed(() => canvasMeasure(tokens.value.font))
  const words = computed(() => drawnWords(settings.axis, session.language.value))
  const whole = computed(() => {
    const latest = settings.range === 'latest' ? POINTS : null
    return axisExtent(session.overview.value.values(), settings.axis, latest)
  })
  const view = computed(() => session.view.zoom.value ?? whole.value)
  // Letting go of the newest point holds the picture where it is.
  watch(session.view.follow, (following) => {
    if (!following && session.view.zoom.value === null && whole.value) session.view.setZoom(whole.value)
  })
  watch(session.view.zoom, hurry, { flush: 'sync' })
  const order = computed(() => {
    const names = [...session.frames.value.keys()]
    const rank = (name: string) => (METRIC_ORDER.includes(name) ? METRIC_ORDER.indexOf(name) : METRIC_ORDER.length)
    return names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
  })
  const seriesOf = (metric: string): SeriesFrame | null => {
    const series = session.frames.value.get(metric)
    return series && series.axis === settings.axis ? series : null
  }

  return {
    session,
    tokens,
    measure,
    words,
    whole,
    view,
    order,
    system: shallowRef([]),
    seriesOf,
    input(metric, size, width, height) {
      const series = seriesOf(metric)
      const detail = session.detail.value
      if (!series || !detail || !view.value || width < 80 || height < 60) return null
      return {
        series,
        evaluations: metric === 'loss' ? seriesOf('eval_loss') : null,
        runs: detail.runs,
        checkpoints: detail.checkpoints,
        findings: detail.findings,
        size,
        width,
        height,
        axis: settings.axis,
        view: view.value,
        zoomed: session.view.zoom.value !== null,
        fit: settings.fit,
        logarithmic: settings.logarithmic && !metricKind(metric).fromZero,
        withChanges: metric === 'loss',
        tokens: tokens.value,
        words: words.value,
        language: session.language.value,
        measure: measure.value,
        previous: null,
      }
    },
  }
}

let shared: Stage | null = null

/** The one stage of this page. */
export function useStage(): Stage {
  shared ??= effectScope(true).run(() => createStage(useSession()))!
  return shared
}
