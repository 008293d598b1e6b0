/** Where what stands in a chart, in pixels of its own box. Linear in both directions: a logarithmic y is drawn as exponents. */
import type { Span } from '@/data/view'

export type ChartSize = 'main' | 'small'

export interface Geometry {
  width: number
  height: number
  left: number
  right: number
  top: number
  bottom: number
  x: Span
  y: { min: number; max: number }
  logarithmic: boolean
}

export interface Box {
  left: number
  top: number
  width: number
  height: number
}

const EDGES: Record<ChartSize, { left: number; right: number; top: number; bottom: number }> = {
  main: { left: 52, right: 60, top: 24, bottom: 28 },
  small: { left: 48, right: 52, top: 10, bottom: 28 },
}

/** The plot's edges, with room for labels of these widths; `right` and `bottom` are places, not margins. */
export function plotEdges(
  size: ChartSize,
  width: number,
  height: number,
  labels: { left: number; right: number },
  titlePx: number,
) {
  const edge = EDGES[size]
  return {
    left: Math.max(edge.left, Math.ceil(labels.left) + 16),
    right: width - Math.max(edge.right, Math.ceil(labels.right) + 14),
    top: edge.top + titlePx,
    bottom: height - edge.bottom,
  }
}

export function toX(geometry: Geometry, x: number): number {
  const { left, right, x: span } = geometry
  return left + ((x - span.first) / (span.last - span.first)) * (right - left)
}

export function fromX(geometry: Geometry, px: number): number {
  const { left, right, x: span } = geometry
  return span.first + ((px - left) / (right - left)) * (span.last - span.first)
}

/** A value's height, also beyond the plot; NaN for what a logarithmic axis cannot hold. */
export function toY(geometry: Geometry, value: number): number {
  const { top, bottom, y } = geometry
  const drawn = geometry.logarithmic ? Math.log10(value) : value
  return bottom - ((drawn - y.min) / (y.max - y.min)) * (bottom - top)
}

/** Whether a height lies in the plot. */
export function isInside({ top, bottom }: Geometry, y: number): boolean {
  return y >= top && y <= bottom
}

export function overlaps(a: Box, b: Box): boolean {
  return a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height
}

/** Moves marks at heights `wanted` apart by at least `gap`, each as little as can be, within [low, high]; order is kept. */
export function spread(wanted: readonly number[], gap: number, low: number, high: number): number[] {
  const order = wanted.map((_, at) => at).sort((a, b) => wanted[a]! - wanted[b]!)
  const placed = order.map((at) => Math.min(high, Math.max(low, wanted[at]!)))
  for (let round = 0; round < 20; round++) {
    let moved = false
    for (let at = 1; at < placed.length; at++) {
      const short = gap - (placed[at]! - placed[at - 1]!)
      if (short <= 0.01) continue
      placed[at - 1]! -= short / 2
      placed[at]! += short / 2
      moved = true
    }
    if (placed.length > 0) {
      const over = Math.max(0, placed.at(-1)! - high)
      const under = Math.max(0, low - placed[0]!)
      if (over > 0.01) placed[placed.length - 1]! -= over
      if (under > 0.01) placed[0]! += under
      moved ||= over > 0.01 || under > 0.01
    }
    if (!moved) break
  }
  const result: number[] = []
  order.forEach((at, rank) => (result[at] = placed[rank]!))
  return result
}
