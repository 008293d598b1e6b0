/**
 * The x axis, the same for all charts: how far it reaches, and where which label stands.
 *
 * On the sequence axis a label tells the step at its place and starts over at each run: 10 20 30 | 10 20 30 40.
 */
import { decimalsOf, clockTicks, multiples, roundStep, timeStep } from './ticks'
import { firstFrom, type Line, type SeriesFrame } from '@/data/frame'
import { integer } from '@/data/figures'
import { LOCALES, type Language } from '@/data/language'
import type { Span } from '@/data/view'
import type { Axis, Run } from '@/wire'

export interface Tick {
  x: number
  label: string
}

/** The extent of all series together, so that every chart has the same axis. Null where there is no point yet. */
export function axisExtent(frames: Iterable<SeriesFrame>, axis: Axis, latest: number | null): Span | null {
  let first = Infinity
  let last = -Infinity
  for (const series of frames) {
    if (series.axis !== axis) continue
    if (axis === 'sequence') {
      if (!series.lines.some((line) => line.raw.x.length > 0)) continue
      first = Math.min(first, series.from)
      last = Math.max(last, series.to - 1)
      continue
    }
    for (const line of series.lines) {
      if (line.raw.x.length === 0) continue
      first = Math.min(first, line.raw.x.at(0))
      last = Math.max(last, line.raw.x.at(-1))
    }
  }
  if (first > last) return null
  if (axis === 'sequence' && latest !== null) first = Math.max(first, last - latest + 1)
  if (axis !== 'sequence' && axis !== 'time' && first > 0 && first < last * 0.1) first = 0
  return first === last ? { first: first - 1, last: last + 1 } : { first, last }
}

export interface TickQuery {
  axis: Axis
  view: Span
  series: SeriesFrame
  runs: readonly Run[]
  widthPx: number
  small: boolean
  language: Language
}

export function axisTicks(query: TickQuery): Tick[] {
  const { axis, view, widthPx, small, language } = query
  const most = Math.max(2, Math.min(small ? 3 : 8, Math.round(widthPx / (small ? 60 : 76))))
  switch (axis) {
    case 'sequence':
      return sequenceTicks(query, most)
    case 'step':
    case 'tokens':
      return multiples(view.first, view.last, Math.max(1, roundStep(view.last - view.first, most))).map((x) => ({
        x,
        label: axisLabel(axis, x, language),
      }))
    case 'epoch': {
      const step = roundStep(view.last - view.first, most)
      return multiples(view.first, view.last, step).map((x) => ({ x, label: x.toFixed(decimalsOf(step)) }))
    }
    case 'time': {
      const { ticks, step } = clockTicks(view.first, view.last, most)
      return ticks.map((x) => ({ x, label: clockLabel(x, step, language) }))
    }
    case 'relative': {
      const step = timeStep(view.last - view.first, most)
      return multiples(view.first, view.last, step).map((x) => ({ x, label: elapsed(x, step < 60) }))
    }
  }
}

/** What stands on the axis at a place, for axes whose place says it itself. */
export function axisLabel(axis: Axis, x: number, language: Language): string {
  switch (axis) {
    case 'sequence':
    case 'step':
      return integer(x, language)
    case 'tokens':
      return compact(x, language)
    case 'epoch':
      return x.toFixed(2)
    case 'time':
      return clockLabel(x, 1, language)
    case 'relative':
      return elapsed(x, true)
  }
}

function sequenceTicks(query: TickQuery, most: number): Tick[] {
  const { view, series, widthPx, small, language } = query
  const pxPerX = widthPx / Math.max(1e-9, view.last - view.first)
  const widest = Math.max(...query.series.lines.map((line) => integer(line.raw.step.at(-1) || 0, language).length), 1)
  const gap = Math.max(34, widest * 7 + (small ? 8 : 14))
  const lines = series.lines.filter((line) => line.raw.sequence.length > 0)
  const covered = lines.reduce((sum, line) => {
    const [lowest, highest] = stepsIn(line, view)
    return sum + Math.max(0, highest - lowest)
  }, 0)
  const step = Math.max(1, roundStep(covered, most))
  const ticks: Tick[] = []
  let lastPx = -Infinity
  lines.forEach((line, at) => {
    const run = query.runs.find((one) => one.number === line.run)
    const begin = run?.first_sequence ?? line.raw.sequence.at(0)
    const next = lines[at + 1]?.raw.sequence.at(0) ?? Infinity
    const firstStep = line.raw.step.at(0)
    const candidates: { x: number; step: number; start: boolean }[] = []
    // A run that started from scratch begins at step 0, one that resumed at the step it resumed from.
    const logged = line.raw.step.length > 1 ? line.raw.step.at(1) - firstStep : firstStep
    if (begin < line.raw.sequence.at(0) || firstStep === 0) {
      candidates.push({ x: begin, step: Math.max(0, firstStep - Math.max(0, logged)), start: true })
    }
    const [lowest, highest] = stepsIn(line, view)
    for (const s of multiples(lowest, highest, step)) {
      if (s > 0 || firstStep === 0) candidates.push({ x: sequenceAt(line, s), step: s, start: false })
    }
    for (const one of candidates) {
      if (one.x < view.first - 1e-9 || one.x > view.last + 1e-9) continue
      const px = (one.x - view.first) * pxPerX
      if (!one.start && (next - one.x) * pxPerX < gap - 8) continue
      if (px - lastPx < gap && (!one.start || px - lastPx < 24)) continue
      ticks.push({ x: one.x, label: integer(one.step, language) })
      lastPx = px
    }
  })
  return ticks
}

/** The least and the greatest step of a line in view; between drawn points, which may lie far apart, in proportion. */
function stepsIn({ raw }: Line, view: Span): [number, number] {
  const stepAt = (sequence: number) => between(raw.sequence.values, raw.step.values, sequence)
  return [stepAt(view.first), stepAt(view.last)]
}

/** Where a step stands on the sequence axis: between the drawn points around it, in proportion. */
export function sequenceAt(line: Line, step: number): number {
  return between(line.raw.step.values, line.raw.sequence.values, step)
}

/** The value of `to` at the place where `wanted` would stand in the ascending `from`; at its ends, the values there. */
function between(from: Float64Array, to: Float64Array, wanted: number): number {
  const place = firstFrom(from, wanted)
  const after = to[Math.min(place, from.length - 1)]!
  if (place === 0 || place >= from.length || from[place] === wanted) return after
  const before = to[place - 1]!
  const part = (wanted - from[place - 1]!) / (from[place]! - from[place - 1]!)
  return before + (after - before) * part
}

const clocks = new Map<string, Intl.DateTimeFormat>()

function clockLabel(secs: number, step: number, language: Language): string {
  const form = step >= 86400 ? 'day' : step >= 60 ? 'minute' : 'second'
  const key = `${language} ${form}`
  let format = clocks.get(key)
  if (!format) {
    const options: Record<string, Intl.DateTimeFormatOptions> = {
      day: { month: 'short', day: 'numeric' },
      minute: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
      second: { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
    }
    format = new Intl.DateTimeFormat(LOCALES[language], options[form])
    clocks.set(key, format)
  }
  return format.format(secs * 1000)
}

/** `1:20`, `1:20:05`, from hours on; minutes and seconds below with `exact`. */
function elapsed(secs: number, exact: boolean): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const whole = Math.max(0, Math.round(secs))
  const hours = Math.floor(whole / 3600)
  const minutes = `${hours}:${two((whole / 60) % 60)}`
  return exact ? `${minutes}:${two(whole % 60)}` : minutes
}

const compacts: Record<Language, Intl.NumberFormat> = {
  en: new Intl.NumberFormat(LOCALES.en, { notation: 'compact', maximumSignificantDigits: 3 }),
  zh: new Intl.NumberFormat(LOCALES.zh, { notation: 'compact', maximumSignificantDigits: 3 }),
}
const compact = (value: number, language: Language): string => compacts[language].format(value)
