import { describe, expect, it } from 'vitest'
import { Column, type SeriesFrame } from '@/data/frame'
import { placeOf } from './places'

function series(sequences: number[], xs: number[]): SeriesFrame {
  const raw = { sequence: new Column(Float64Array.from(sequences)), x: new Column(Float64Array.from(xs)) }
  return { lines: [{ raw }] } as unknown as SeriesFrame
}

describe('the place of a record on the axis', () => {
  const drawn = [series([0, 10, 20], [5, 15, 25]), series([12], [99])]

  it('is that of the nearest drawn record', () => {
    expect(placeOf(drawn, 10)).toBe(15)
    expect(placeOf(drawn, 12)).toBe(99)
    expect(placeOf(drawn, 1000)).toBe(25)
    expect(placeOf(drawn, -5)).toBe(5)
  })

  it('is none while nothing is drawn', () => {
    expect(placeOf([], 3)).toBeNull()
    expect(placeOf([series([], [])], 3)).toBeNull()
  })
})
