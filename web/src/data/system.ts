/**
 * GPU and system figures: what they are by name, and how they are shown. Their points are placed by time (docs/frame.md).
 *
 * The wire has bytes, percent, watts and °C; on screen bytes are GiB and rates MiB a second.
 */
import { Column, type SeriesFrame } from './frame'
import type { Span } from './view'

const KINDS = {
  'gpu.utilization': { unit: '%', scale: 1 },
  'gpu.memory': { unit: 'GiB', scale: 2 ** -30 },
  'gpu.process_memory': { unit: 'GiB', scale: 2 ** -30 },
  'gpu.temperature': { unit: '°C', scale: 1 },
  'gpu.power': { unit: 'W', scale: 1 },
  'process.cpu': { unit: '%', scale: 1 },
  'process.memory': { unit: 'GiB', scale: 2 ** -30 },
  'process.read': { unit: 'MiB/s', scale: 2 ** -20 },
  'process.written': { unit: 'MiB/s', scale: 2 ** -20 },
  'system.cpu': { unit: '%', scale: 1 },
  'system.memory': { unit: 'GiB', scale: 2 ** -30 },
  'disk.used': { unit: '%', scale: 1 },
} as const

export type SystemKind = keyof typeof KINDS

const ORDER = Object.keys(KINDS)

export interface SystemFigure {
  name: string
  kind: SystemKind
  /** Which GPU; null for figures of the machine and the process. */
  gpu: number | null
  unit: string
  scale: number
}

/** Null for a name that this page does not know. */
export function systemFigure(name: string): SystemFigure | null {
  const gpu = /^gpu\.(\d+)\.(.+)$/.exec(name)
  const kind = gpu ? `gpu.${gpu[2]}` : name
  if (!(kind in KINDS)) return null
  const known = kind as SystemKind
  return { name, kind: known, gpu: gpu ? Number(gpu[1]) : null, ...KINDS[known] }
}

/** GPUs first, one after another. */
export function systemFigures(names: readonly string[]): SystemFigure[] {
  return names
    .map(systemFigure)
    .filter((one) => one !== null)
    .sort((a, b) => (a.gpu ?? Infinity) - (b.gpu ?? Infinity) || ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || 0)
}

/** The series in the units that are shown. */
export function inUnits(series: SeriesFrame, scale: number): SeriesFrame {
  if (scale === 1) return series
  const lines = series.lines.map((line) => ({
    ...line,
    raw: { ...line.raw, value: new Column(line.raw.value.values.map((value) => value * scale)) },
  }))
  return { ...series, lines }
}

/** From the first to the last sample of all series, in Unix seconds; null where there is none. */
export function timeExtent(all: Iterable<SeriesFrame>): Span | null {
  let first = Infinity
  let last = -Infinity
  for (const { lines } of all) {
    for (const { raw } of lines) {
      if (raw.x.length === 0) continue
      first = Math.min(first, raw.x.at(0))
      last = Math.max(last, raw.x.at(-1))
    }
  }
  return first <= last ? { first, last: Math.max(last, first + 1) } : null
}

/** When the newest sample of all series was taken; null where there is none. */
export function newestSample(all: Iterable<SeriesFrame>): number | null {
  let newest = -Infinity
  for (const { lines } of all)
    for (const { raw } of lines) if (raw.time.length > 0) newest = Math.max(newest, raw.time.at(-1))
  return newest === -Infinity ? null : newest
}

/** The time of what lies in `view` on the page's axis, as the drawn points tell it; null where none lies there. */
export function timesIn(view: Span, drawn: Iterable<SeriesFrame>): Span | null {
  let first = Infinity
  let last = -Infinity
  for (const { lines } of drawn) {
    for (const { raw } of lines) {
      for (let place = 0; place < raw.x.length; place++) {
        const x = raw.x.at(place)
        if (x < view.first || x > view.last) continue
        first = Math.min(first, raw.time.at(place))
        last = Math.max(last, raw.time.at(place))
      }
    }
  }
  return first < last ? { first, last } : null
}
