import { describe, expect, it } from 'vitest'
import { barPlace, END_PX, listPlace, LONGEST_PX } from './long-scroll'

const SEEN = 200
const FIVE_MILLION = 5_000_000 * 22

describe('a list longer than an element can be', () => {
  const bar = LONGEST_PX - SEEN
  const list = FIVE_MILLION - SEEN

  it('is reached to its very ends by the bar', () => {
    expect(listPlace(0, bar, list)).toBe(0)
    expect(listPlace(bar, bar, list)).toBe(list)
  })

  it('moves pixel by pixel with the bar near both ends', () => {
    expect(listPlace(END_PX - 22, bar, list)).toBe(END_PX - 22)
    expect(listPlace(bar - 22, bar, list)).toBe(list - 22)
  })

  it('goes to the same part as the bar in between', () => {
    expect(listPlace(bar / 2, bar, list)).toBeCloseTo(list / 2, 3)
    const places = Array.from({ length: 1001 }, (_, at) => listPlace((bar * at) / 1000, bar, list))
    expect(places).toEqual([...places].sort((a, b) => a - b))
  })

  it('is found again from its place', () => {
    for (const place of [0, 100, END_PX, 1e6, bar / 2, bar - END_PX, bar - 1, bar]) {
      expect(barPlace(listPlace(place, bar, list), bar, list)).toBeCloseTo(place, 3)
    }
  })
})

it('is its own place where an element can be as long', () => {
  expect(listPlace(123, 5000, 5000)).toBe(123)
  expect(barPlace(123, 5000, 5000)).toBe(123)
})
