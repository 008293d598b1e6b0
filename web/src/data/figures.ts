/**
 * Figures as people read them: `1,240`, `12.4`, `1.9e-4`, `3.477`.
 *
 * Grouping follows the locale; everything else is the same in both languages, because these are the figures that stand in
 * the trainer's own output.
 */
import type { Number as WireNumber } from '../wire'
import { LOCALES, type Language } from './language'
import { metricKind, type Form } from './metrics'

const grouping: Record<Language, Intl.NumberFormat> = {
  en: new Intl.NumberFormat(LOCALES.en, { maximumFractionDigits: 0 }),
  zh: new Intl.NumberFormat(LOCALES.zh, { maximumFractionDigits: 0 }),
}

/** A number from the wire, where the non-finite ones travel as text. Null and other text become NaN. */
export function toNumber(value: WireNumber | string | null | undefined): number {
  if (typeof value === 'number') return value
  if (value === 'Infinity') return Infinity
  if (value === '-Infinity') return -Infinity
  return NaN
}

/** `1,240` */
export function integer(value: number, language: Language = 'en'): string {
  return Number.isFinite(value) ? grouping[language].format(Math.round(value)) : nonFinite(value)
}

/** `1.9e-4`, with as many decimals as asked and no trailing zeros unless kept. */
export function exponent(value: number, decimals = 1, keepZeros = false): string {
  if (!Number.isFinite(value)) return nonFinite(value)
  if (value === 0) return '0'
  const [mantissa, power] = value.toExponential(decimals).split('e') as [string, string]
  return `${keepZeros ? mantissa : Number(mantissa)}e${Number(power)}`
}

function nonFinite(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? '∞' : '−∞'
}

function significant(value: number, digits: number, language: Language): string {
  const size = Math.abs(value)
  if (size >= 1e7 || (size > 0 && size < 1e-3)) return exponent(value, 2)
  if (size >= 1000) return integer(value, language)
  const decimals = size === 0 ? 2 : Math.min(6, Math.max(0, digits - 1 - Math.floor(Math.log10(size))))
  return value.toFixed(decimals)
}

function formed(form: Form, value: number, language: Language): string {
  if (!Number.isFinite(value)) return nonFinite(value)
  const size = Math.abs(value)
  switch (form) {
    case 'exponent':
      return exponent(value, 2, true)
    case 'speed':
      if (size >= 1000) return integer(value, language)
      return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
    case 'significant':
      return significant(value, size < 10 ? 4 : 3, language)
    case 'fixed':
      if (size >= 1000) return integer(value, language)
      if (size > 0 && size < 5e-4) return exponent(value, 2)
      return value.toFixed(3)
  }
}

/** A value of a metric as it stands in charts, tooltips and figures, without its unit. */
export function metricValue(metric: string, value: number, language: Language = 'en'): string {
  return formed(metricKind(metric).form, value, language)
}
