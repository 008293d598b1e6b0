// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { pictureOf, trace, type Curve, type Mark } from './picture'
import type { Geometry } from './geometry'

const geometry: Geometry = {
  width: 120,
  height: 100,
  left: 10,
  right: 110,
  top: 0,
  bottom: 100,
  x: { first: 0, last: 1000 },
  y: { min: 0, max: 10 },
  logarithmic: false,
}

/** The strokes of a curve, each a list of its lines, a line a list of its points. */
function strokes(values: number[], inPieces: boolean): number[][][][] {
  const data = Float64Array.from(values.flatMap((value, x) => [x, value]))
  const done: number[][][][] = []
  let lines: number[][][] = []
  const pen = {
    moveTo: (x: number, y: number) => void lines.push([[x, y]]),
    lineTo: (x: number, y: number) => void lines.at(-1)!.push([x, y]),
  }
  trace({ data, geometry, inPieces }, pen, () => {
    done.push(lines)
    lines = []
  })
  return [...done, lines]
}

/** Segments as their two ends, each once. */
const segments = (of: number[][][][]) =>
  new Set(of.flat().flatMap((line) => line.slice(1).map((point, at) => `${line[at]} ${point}`)))

describe('a curve', () => {
  const noise = Array.from({ length: 1001 }, (_, at) => 5 + 4 * Math.sin(at * at))

  it('stroked in pieces has the segments of one stroke, each piece joined to the one before', () => {
    const whole = strokes(noise, false)
    const pieces = strokes(noise, true)
    expect(whole).toHaveLength(1)
    expect(pieces.length).toBeGreaterThan(10)
    expect(segments(pieces)).toEqual(segments(whole))
    for (const [at, piece] of pieces.entries()) {
      if (at > 0) expect(piece[0]!.slice(0, 2)).toEqual(pieces[at - 1]!.at(-1)!.slice(-2))
    }
  })

  it('breaks where a value is missing, also at the end of a piece', () => {
    const broken = noise.map((value, at) => (at % 64 === 1 ? NaN : value))
    for (const inPieces of [false, true]) {
      const lines = strokes(broken, inPieces).flat()
      expect(lines.length).toBeGreaterThan(15)
      for (const line of lines) {
        const [from, to] = [line[0]![0]!, line.at(-1)![0]!].map((px) => Math.round((px - 10) * 10))
        expect(broken.slice(from, to! + 1).every(Number.isFinite)).toBe(true)
      }
    }
    expect(segments(strokes(broken, true))).toEqual(segments(strokes(broken, false)))
  })

  it('is drawn where its values lie', () => {
    expect(strokes([0, 10, 5], false)[0]![0]).toEqual([
      [10, 100],
      [10.1, 0],
      [10.2, 50],
    ])
  })
})

describe('the picture', () => {
  const curve: Curve = { data: new Float64Array(), widthPx: 1, color: 'red', opacity: 1, join: 'bevel', z: 4 }
  const mark = (over: Partial<Mark>): Mark => ({
    symbol: 'circle',
    x: 500,
    y: 5,
    sizePx: [10, 10],
    raisedPx: 0,
    fill: 'red',
    rim: 'white',
    rimPx: 3,
    inside: true,
    z: 8,
    ...over,
  })
  const shapes = (curves: Curve[], marks: Mark[]) =>
    (pictureOf(curves, marks, geometry) as unknown as { children: { type: string; z2: number; shape: object }[] })
      .children

  it('clips at whole pixels', () => {
    const [clipped] = shapes([curve], []) as unknown as { clipPath: { shape: Record<string, number> } }[]
    expect(Object.values(clipped!.clipPath.shape).every(Number.isInteger)).toBe(true)
  })

  it('leaves out a dot beside the plot, not a mark on the axis', () => {
    expect(shapes([], [mark({ x: 1200 })])).toHaveLength(1)
    expect(shapes([], [mark({ y: 11 })])).toHaveLength(1)
    expect(shapes([], [mark({ y: 0, symbol: 'triangle', raisedPx: 5, inside: false })])).toHaveLength(2)
  })

  it('has a circle at each point that has a value, over its line', () => {
    const circles = { sizePx: 4, fill: 'white', rim: 'red', rimPx: 1 }
    const [, ...drawn] = shapes([{ ...curve, data: Float64Array.of(0, 1, 100, NaN, 200, 3), circles }], [])
    expect(drawn.map((one) => one.shape)).toEqual([
      { cx: 10, cy: 90, r: 2 },
      { cx: 30, cy: 70, r: 2 },
    ])
    expect(drawn.every((one) => one.z2 > curve.z)).toBe(true)
  })
})
