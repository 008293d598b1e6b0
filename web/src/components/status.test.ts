import { describe, expect, it } from 'vitest'
import { STATUS_LOOKS, statusLook } from './status'

describe('status', () => {
  it('draws stopping as running', () => {
    expect(statusLook('stopping')).toBe('running')
    expect(STATUS_LOOKS.map(statusLook)).toEqual(STATUS_LOOKS)
  })
})
