/** A chart in words, for those who do not see it. */
import { integer, metricValue } from '@/data/figures'
import type { SeriesFrame } from '@/data/frame'
import type { Language } from '@/data/language'

export interface Summary {
  points: string
  runs: number
  last: string
  min: string
  max: string
  [name: string]: string | number
}

export function summaryOf(series: SeriesFrame, language: Language): Summary | null {
  let min = Infinity
  let max = -Infinity
  let last = NaN
  let runs = 0
  for (const { raw } of series.lines) {
    if (raw.value.length > 0) runs++
    for (const value of raw.value.values) {
      if (!Number.isFinite(value)) continue
      min = Math.min(min, value)
      max = Math.max(max, value)
      last = value
    }
  }
  if (min > max) return null
  const said = (value: number) => metricValue(series.name, value, language)
  return { points: integer(series.points, language), runs, last: said(last), min: said(min), max: said(max) }
}
