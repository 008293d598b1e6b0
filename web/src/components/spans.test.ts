import { describe, expect, it } from 'vitest'
import { spanAt, spanPlace, SPANS } from './spans'

describe('spans', () => {
  it('go there and back', () => {
    for (const span of SPANS) expect(spanAt(spanPlace(span))).toBe(span)
  })

  it('take the nearest for any other', () => {
    expect(spanAt(spanPlace(9))).toBe(10)
    expect(spanAt(spanPlace(1e6))).toBe(SPANS.at(-1))
    expect(spanAt(-3)).toBe(SPANS[0])
  })
})
