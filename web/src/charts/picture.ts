/**
 * What stands in a chart's plot, curves and marks, as one custom series of ECharts.
 *
 * A line series and a scatter series each would say the same, but each of them costs 0.3 ms before it draws anything: models,
 * views, visual stages, labels. A chart has up to six.
 */
import type { CustomSeriesOption } from 'echarts/charts'
import { toX, toY, type Geometry } from './geometry'

/** A line, and perhaps a circle at each of its points. */
export interface Curve {
  /** x and y in turn, in drawn units (y is an exponent where the axis is logarithmic); NaN breaks the line. */
  data: Float64Array
  widthPx: number
  color: string
  opacity: number
  join: 'bevel' | 'round'
  circles?: { sizePx: number; fill: string; rim: string; rimPx: number }
  z: number
}

export interface Mark {
  symbol: 'circle' | 'diamond' | 'triangle'
  /** In drawn units. */
  x: number
  y: number
  /** Width and height. */
  sizePx: [number, number]
  raisedPx: number
  fill: string
  rim: string
  rimPx: number
  /** Left out where it lies outside the plot. */
  inside: boolean
  z: number
}

/** What the shape that `engine.ts` registers holds: in one object, because ECharts copies each array that it finds in a shape. */
export interface Traced {
  data: Float64Array
  geometry: Geometry
  /** Stroked piece by piece: the same picture, sooner. */
  inPieces: boolean
}

type Element = NonNullable<ReturnType<NonNullable<CustomSeriesOption['renderItem']>>>

interface Shape {
  type: 'curve' | 'circle' | 'polygon'
  silent: true
  z2: number
  shape: object
  style: { fill: string; stroke: string; lineWidth: number; opacity?: number; lineJoin?: string }
}

export function pictureSeries(curves: readonly Curve[], marks: readonly Mark[], geometry: Geometry) {
  return {
    type: 'custom',
    coordinateSystem: 'none',
    silent: true,
    animation: false,
    z: 2,
    data: [0],
    renderItem: () => pictureOf(curves, marks, geometry),
  } satisfies CustomSeriesOption
}

/** All of it, in pixels of the chart's box. */
export function pictureOf(curves: readonly Curve[], marks: readonly Mark[], geometry: Geometry): Element {
  const { left, right, top, bottom } = geometry
  // A pixel wider than the plot, so that a line on its edge is drawn in its whole width. A whole one: a clip that ends within
  // a pixel is rasterized as a mask, and all strokes in it take three times as long.
  const clip = { x: left - 1, y: top - 1, width: right - left + 2, height: bottom - top + 2 }
  return {
    type: 'group',
    emphasisDisabled: true,
    children: [
      { type: 'group', clipPath: { type: 'rect', shape: clip }, children: curves.map((one) => line(one, geometry)) },
      ...curves.flatMap((one) => circles(one, geometry)),
      ...marks.flatMap((one) => mark(one, geometry)),
    ],
  } as unknown as Element
}

function line({ data, widthPx, color, opacity, join, z }: Curve, geometry: Geometry): Shape {
  return {
    type: 'curve',
    silent: true,
    z2: z,
    shape: { curve: { data, geometry, inPieces: opacity === 1 && widthPx > 1 } satisfies Traced },
    style: { fill: 'none', stroke: color, lineWidth: widthPx, opacity, lineJoin: join },
  }
}

function circles({ data, circles: look, z }: Curve, geometry: Geometry): Shape[] {
  if (!look) return []
  const marks: Mark[] = []
  for (let at = 0; at < data.length; at += 2) {
    if (Number.isNaN(data[at + 1])) continue
    const { sizePx, ...rest } = look
    const place = { x: data[at]!, y: data[at + 1]!, sizePx: [sizePx, sizePx] as [number, number], raisedPx: 0 }
    marks.push({ symbol: 'circle', ...place, ...rest, inside: true, z: z + 0.001 })
  }
  return marks.flatMap((one) => mark(one, geometry))
}

function mark({ symbol, x, y, sizePx, raisedPx, fill, rim, rimPx, inside, z }: Mark, geometry: Geometry): Shape[] {
  const cx = toX(geometry, x)
  const cy = drawnY(geometry, y) - raisedPx
  const outside = cx < geometry.left || cx > geometry.right || cy < geometry.top || cy > geometry.bottom
  if (inside && outside) return []
  const half = { x: sizePx[0] / 2, y: sizePx[1] / 2 }
  const style = { fill, stroke: rimPx > 0 ? rim : 'none', lineWidth: rimPx }
  if (symbol === 'circle') return [{ type: 'circle', silent: true, z2: z, shape: { cx, cy, r: half.x }, style }]
  const top = [cx, cy - half.y]
  const points =
    symbol === 'diamond'
      ? [top, [cx + half.x, cy], [cx, cy + half.y], [cx - half.x, cy]]
      : [top, [cx + half.x, cy + half.y], [cx - half.x, cy + half.y]]
  return [{ type: 'polygon', silent: true, z2: z, shape: { points }, style }]
}

/** The height of what is an exponent already where the axis is logarithmic. */
function drawnY(geometry: Geometry, y: number): number {
  return toY({ ...geometry, logarithmic: false }, y)
}

/** As much of a canvas, or of a path that is kept, as a curve needs. */
export interface Pen {
  moveTo(x: number, y: number): void
  lineTo(x: number, y: number): void
}

/** Segments a piece: 2,000 of them in one stroke are rasterized on the CPU in 25 ms, in pieces of 64 in 6. */
const PIECE = 64
/** Less than this, squared, is no segment to see: as in ECharts' own lines. */
const TINY_PX2 = 0.5

/**
 * Draws a curve; `stroke`, where there is a canvas, strokes what was drawn so far and begins anew. A piece begins with the
 * last segment of the one before, so that the line is joined there as everywhere.
 */
export function trace({ data, geometry, inPieces }: Traced, pen: Pen, stroke: (() => void) | null): void {
  const { left, bottom } = geometry
  const { first, last } = geometry.x
  const { min, max } = geometry.y
  const perX = (geometry.right - left) / (last - first)
  const perY = (bottom - geometry.top) / (max - min)
  const pieces = inPieces ? stroke : null
  let segments = 0
  let broken = true
  let beforeX = 0
  let beforeY = 0
  for (let at = 0; at < data.length; at += 2) {
    const x = left + (data[at]! - first) * perX
    const y = bottom - (data[at + 1]! - min) * perY
    if (Number.isNaN(y)) {
      broken = true
      continue
    }
    if (broken) pen.moveTo(x, y)
    else {
      const acrossX = x - beforeX
      const acrossY = y - beforeY
      if (acrossX * acrossX + acrossY * acrossY < TINY_PX2) continue
      pen.lineTo(x, y)
      if (pieces && ++segments >= PIECE) {
        pieces()
        pen.moveTo(beforeX, beforeY)
        pen.lineTo(x, y)
        segments = 1
      }
    }
    broken = false
    beforeX = x
    beforeY = y
  }
}
