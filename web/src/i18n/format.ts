/**
 * Times, durations, sizes and figures as text, by locale: `data/figures.ts` with words and units around it.
 *
 * Durations come as parts (figure and unit apart), because the page sets units small and grey.
 */
import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { integer, metricValue, toNumber } from '@/data/figures'
import { LOCALES, type Language } from '@/data/language'
import { metricKind } from '@/data/metrics'
import type { NonFinite } from '@/wire'
import { messages } from './index'

export interface Part {
  figure: string
  unit: string
}

type Value = number | NonFinite | string | null | undefined

const MINUTE_SECS = 60
const HOUR_SECS = 3600
const DAY_SECS = 86400
const dates = new Map<string, Intl.DateTimeFormat>()

function dateFormat(language: Language, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${name}`
  let format = dates.get(key)
  if (!format) {
    format = new Intl.DateTimeFormat(LOCALES[language], { hourCycle: 'h23', ...options })
    dates.set(key, format)
  }
  return format
}

export interface Format {
  /** 12,040 */
  whole(value: number): string
  /** A metric's value as a figure. Non-finite ones as they are, a text as it is, a dash for none. */
  figure(metric: string, value: Value): string
  /** A metric's value as the log shows it: one digit more. */
  precise(metric: string, value: Value): string
  /** 0.631 → "63.1" and "%". */
  percent(part: number): Part
  /** 1.42 GB, decimal units. */
  bytes(size: number): string
  /** Time of day with seconds. */
  clock(secs: number): string
  /** Date and time of day, for titles. */
  moment(secs: number): string
  /** "now", "14:32", "yesterday, 22:41", "Nov 21". */
  when(secs: number | null, nowSecs: number): string
  /** 26520 → 7 h 22 min; 0 → –. */
  duration(secs: number): Part[]
  /** [2580, 2880] → 43–48 min; what is over at once → < 1 s. */
  remaining(range: readonly [number, number]): Part
  /** Parts in one string: "7 h 22 min", "7 小时 22 分钟". */
  join(parts: readonly Part[]): string
}

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB']

function metricText(language: Language, metric: string, value: Value, precise: boolean): string {
  if (value === null || value === undefined) return messages[language].common.none
  const number = toNumber(value)
  if (typeof value === 'string' && Number.isNaN(number) && value !== 'NaN') return value
  const size = Math.abs(number)
  const { form } = metricKind(metric)
  // The log has room for one digit more than the figures: 3.4444, 411.1.
  if (precise && form === 'fixed' && size < 100 && size >= 5e-4) return number.toFixed(4)
  if (precise && form === 'speed' && size < 1000) return number.toFixed(size < 10 ? 2 : 1)
  return metricValue(metric, number, language)
}

export function createFormat(language: Language): Format {
  const words = messages[language]
  const unit = words.common.unit
  const whole = (value: number): string => integer(value, language)
  const fixed = (value: number, decimals: number): string => value.toFixed(decimals)
  const clock = (secs: number): string =>
    dateFormat(language, 'clock', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(secs * 1000)
  const minute = (secs: number): string =>
    dateFormat(language, 'minute', { hour: '2-digit', minute: '2-digit' }).format(secs * 1000)

  return {
    whole,
    clock,
    figure: (metric, value) => metricText(language, metric, value, false),
    precise: (metric, value) => metricText(language, metric, value, true),
    percent: (part) => ({ figure: fixed(Math.floor(part * 1000) / 10, part < 1 ? 1 : 0), unit: unit.percent }),
    bytes(size) {
      let rank = 0
      let value = size
      while (value >= 999.5 && rank < SIZES.length - 1) {
        value /= 1000
        rank += 1
      }
      return `${fixed(value, rank < 2 || value >= 99.5 ? 0 : value >= 9.95 ? 1 : 2)} ${SIZES[rank]}`
    },
    moment: (secs) => dateFormat(language, 'moment', { dateStyle: 'medium', timeStyle: 'medium' }).format(secs * 1000),
    when(secs, nowSecs) {
      if (secs === null) return words.when.never
      if (nowSecs - secs < MINUTE_SECS) return words.when.now
      const then = new Date(secs * 1000)
      const now = new Date(nowSecs * 1000)
      if (then.toDateString() === now.toDateString()) return minute(secs)
      const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1)
      if (then.toDateString() === yesterday.toDateString()) return words.when.yesterday.replace('{time}', minute(secs))
      if (then.getFullYear() === now.getFullYear()) {
        return dateFormat(language, 'day', { day: 'numeric', month: 'short' }).format(then)
      }
      return dateFormat(language, 'year', { dateStyle: 'medium' }).format(then)
    },
    duration(secs) {
      // No training took exactly nothing: an imported history told no times.
      if (secs === 0) return [{ figure: words.common.none, unit: '' }]
      if (secs < MINUTE_SECS) return [{ figure: whole(secs), unit: unit.seconds }]
      if (secs < HOUR_SECS) return [{ figure: whole(Math.max(1, secs / MINUTE_SECS)), unit: unit.minutes }]
      const minutes = Math.round(secs / MINUTE_SECS)
      if (secs < DAY_SECS * 2) {
        return [
          { figure: whole(Math.floor(minutes / 60)), unit: unit.hours },
          { figure: whole(minutes % 60), unit: unit.minutes },
        ]
      }
      const hours = Math.round(secs / HOUR_SECS)
      return [
        { figure: whole(Math.floor(hours / 24)), unit: unit.days },
        { figure: whole(hours % 24), unit: unit.hours },
      ]
    },
    remaining([least, most]) {
      if (most < 0.5) return { figure: '< 1', unit: unit.seconds }
      const scales: [number, number, string, number][] = [
        [100, 1, unit.seconds, 0],
        [100 * MINUTE_SECS, MINUTE_SECS, unit.minutes, 0],
        [48 * HOUR_SECS, HOUR_SECS, unit.hours, 1],
        [Infinity, DAY_SECS, unit.days, 1],
      ]
      const [, size, name, decimals] = scales.find(([limit]) => most < limit) ?? scales[3]!
      const from = fixed(Math.max(0, least) / size, decimals)
      const to = fixed(Math.max(0, most) / size, decimals)
      return { figure: from === to ? to : `${from}–${to}`, unit: name }
    },
    join: (parts) => parts.map((part) => `${part.figure} ${part.unit}`.trim()).join(' '),
  }
}

const made = new Map<Language, Format>()

/** The formats of the language on screen. */
export function useFormat(): ComputedRef<Format> {
  const { locale } = useI18n()
  return computed(() => {
    const language = locale.value as Language
    let format = made.get(language)
    if (!format) {
      format = createFormat(language)
      made.set(language, format)
    }
    return format
  })
}
