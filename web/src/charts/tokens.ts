/**
 * The page's colours and font as the canvas needs them: read from the CSS tokens, so that light, dark and any later theme are
 * written down once. Read again when the theme changes.
 */
import { nextTick, shallowRef, watch, type ShallowRef } from 'vue'
import { metricKind } from '@/data/metrics'

export interface Tokens {
  ground: string
  ink: string
  ink2: string
  ink3: string
  edge: string
  grid: string
  failed: string
  evaluation: string
  font: string
  /** The colour of a metric. */
  metric(name: string): string
}

export function readTokens(element: Element = document.documentElement): Tokens {
  const style = getComputedStyle(element)
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  return {
    ground: token('ground'),
    ink: token('ink'),
    ink2: token('ink-2'),
    ink3: token('ink-3'),
    edge: token('edge'),
    grid: token('grid'),
    failed: token('st-failed'),
    evaluation: token('s-eval'),
    // An SVG's attributes stand in double quotes, and ECharts writes the font into one as it is.
    font: token('font').replaceAll('"', "'"),
    metric: (name) => token(metricKind(name).token),
  }
}

/** The tokens of the theme on screen; `theme` says when to read them again. */
export function useTokens(theme: () => unknown): ShallowRef<Tokens> {
  const tokens = shallowRef(readTokens())
  watch(theme, async () => {
    await nextTick() // the document's data-theme follows in the same flush
    tokens.value = readTokens()
  })
  return tokens
}

/** `share` of one colour on another, both `#rrggbb`: a shade that stays readable, where opacity would show what lies under. */
export function mix(color: string, ground: string, share: number): string {
  const channels = (hex: string) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16))
  const over = channels(color)
  const under = channels(ground)
  if ([...over, ...under].some(Number.isNaN)) return color
  return `#${over.map((value, at) => byte(value * share + under[at]! * (1 - share))).join('')}`
}

const byte = (value: number): string => Math.round(value).toString(16).padStart(2, '0')
