/** What a metric is called on screen: the manual's words for the six it explains, the trainer's own name for any other. */
import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { messages } from './index'

type Explained = keyof typeof messages.en.charts

export interface MetricNames {
  /** Above a chart: "Loss curve". */
  title(metric: string): string
  /** In a row: "Loss". */
  short(metric: string): string
}

export const isExplained = (metric: string): metric is Explained => metric in messages.en.charts

export function useMetricNames(): ComputedRef<MetricNames> {
  const { t } = useI18n()
  return computed(() => ({
    title: (metric) => (isExplained(metric) ? t(`charts.${metric}.title`) : metric),
    short: (metric) => (isExplained(metric) ? t(`charts.${metric}.short`) : metric),
  }))
}
