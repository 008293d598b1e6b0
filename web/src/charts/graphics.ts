/** Texts on the canvas: what they look like, how wide they are, and all that those who place them are told. */
import type { ChartSize, Geometry } from './geometry'
import type { Tokens } from './tokens'
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
export const LINE_PX = 16

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

/** The place of the last finite value; -1 where there is none. */
export function lastFinite(values: Float64Array): number {
  for (let place = values.length - 1; place >= 0; place--) if (Number.isFinite(values[place])) return place
  return -1
}
