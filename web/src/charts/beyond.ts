/** What lies beyond a chart's range, in words: `max 10.97`. */
import type { Extent } from './range'
import { metricValue } from '@/data/figures'
import type { Language } from '@/data/language'
import { i18n } from '@/i18n'

export interface Beyond {
  side: 'above' | 'below'
  text: string
}

export function beyondRange(metric: string, extent: Extent, language: Language): Beyond[] {
  const said = (value: number): string => {
    const size = Math.abs(value)
    return size >= 0.1 && size < 1000 ? value.toFixed(2) : metricValue(metric, value, language)
  }
  const beyond: Beyond[] = []
  if (extent.above !== null)
    beyond.push({ side: 'above', text: i18n.global.t('chart.max', { value: said(extent.above) }) })
  if (extent.below !== null)
    beyond.push({ side: 'below', text: i18n.global.t('chart.min', { value: said(extent.below) }) })
  return beyond
}
