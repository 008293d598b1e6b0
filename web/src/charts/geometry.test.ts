import { describe, expect, it } from 'vitest'
import { panned, zoomed } from './gestures'
import { fromX, spread, toX, toY, type Geometry } from './geometry'

const geometry: Geometry = {
  width: 700,
  height: 400,
  left: 50,
  right: 650,
  top: 20,
  bottom: 380,
  x: { first: 100, last: 200 },
  y: { min: 0, max: 4 },
  logarithmic: false,
}

it('goes from places to pixels and back', () => {
  expect(toX(geometry, 150)).toBe(350)
  expect(fromX(geometry, toX(geometry, 137))).toBeCloseTo(137)
  expect(toY(geometry, 4)).toBe(20)
  expect(toY({ ...geometry, y: { min: 0, max: 2 }, logarithmic: true }, 10)).toBe(200)
})

describe('spread', () => {
  it('moves labels apart and keeps their order', () => {
    const placed = spread([100, 102, 101], 17, 0, 400)
    const sorted = [...placed].sort((a, b) => a - b)
    expect(sorted[1]! - sorted[0]!).toBeGreaterThanOrEqual(16.9)
    expect(sorted[2]! - sorted[1]!).toBeGreaterThanOrEqual(16.9)
    expect(placed[0]!).toBeLessThan(placed[2]!)
    expect(placed[2]!).toBeLessThan(placed[1]!)
  })

  it('keeps them within bounds and leaves alone what is apart', () => {
    expect(spread([390, 395], 17, 0, 380).every((y) => y <= 380.1)).toBe(true)
    expect(spread([10, 200], 17, 0, 380)).toEqual([10, 200])
    expect(spread([], 17, 0, 380)).toEqual([])
  })
})

describe('zooming with the wheel', () => {
  const whole = { first: 0, last: 1000 }

  it('keeps the place under the pointer', () => {
    const view = { first: 100, last: 300 }
    const closer = zoomed(view, whole, 150, 0.5)!
    expect(closer.last - closer.first).toBeCloseTo(100)
    expect((150 - closer.first) / 100).toBeCloseTo(0.25)
  })

  it('shows the whole when nothing more is left out, and never less than a few records', () => {
    expect(zoomed({ first: 100, last: 900 }, whole, 500, 4)).toBeNull()
    const closest = zoomed({ first: 100, last: 106 }, whole, 103, 0.01)!
    expect(closest.last - closest.first).toBeCloseTo(4)
  })

  it('pans without leaving the whole', () => {
    expect(panned({ first: 0, last: 100 }, whole, -1)).toEqual({ first: 0, last: 100 })
    expect(panned({ first: 0, last: 100 }, whole, 0.5)).toEqual({ first: 50, last: 150 })
    expect(panned({ first: 850, last: 950 }, whole, 1)).toEqual({ first: 900, last: 1000 })
  })
})
