// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { clockTicks, decimalsOf, multiples, powerTicks, roundStep, timeStep, valueTicks } from './ticks'

describe('value ticks', () => {
  it.each([
    [3.35, 4.8],
    [0, 1],
    [0, 0.0006],
    [-3, 7],
    [1e6, 9e6],
    [2.999, 3.001],
    [0.0712, 0.0713],
  ])('are three to five round values within %d to %d', (low, high) => {
    const { ticks, step } = valueTicks(low, high, 5)
    expect(ticks.length).toBeGreaterThanOrEqual(3)
    expect(ticks.length).toBeLessThanOrEqual(5)
    for (const tick of ticks) {
      expect(tick).toBeGreaterThanOrEqual(low - step * 1e-6)
      expect(tick).toBeLessThanOrEqual(high + step * 1e-6)
      expect(Math.abs(tick / step - Math.round(tick / step))).toBeLessThan(1e-6)
    }
  })
})

describe('power ticks', () => {
  it('stand at powers of ten, with 2 and 5 between them in a short range', () => {
    expect(powerTicks(0, 3).map((tick) => Math.round(10 ** tick))).toEqual([1, 10, 100, 1000])
    expect(powerTicks(0, 1).map((tick) => Math.round(10 ** tick))).toEqual([1, 2, 5, 10])
    expect(powerTicks(-30, 30).length).toBeLessThanOrEqual(13)
  })
})

it('rounds steps up to 1, 2, 2.5 or 5', () => {
  expect([roundStep(100, 10), roundStep(101, 10), roundStep(0.03, 3), roundStep(0, 5)]).toEqual([10, 20, 0.01, 1])
})

it('knows how many decimals tell multiples apart', () => {
  expect([1, 0.5, 0.25, 2500, 0.001].map(decimalsOf)).toEqual([0, 1, 2, 0, 3])
})

it('does not drift over many multiples', () => {
  expect(multiples(0, 0.7, 0.1)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
})

it('takes steps that clocks know', () => {
  expect([timeStep(60, 6), timeStep(3600, 6), timeStep(86400 * 3, 6), timeStep(400, 6)]).toEqual([10, 600, 43200, 120])
  const { ticks } = clockTicks(1_764_000_000, 1_764_003_600, 6)
  expect(ticks.every((tick) => tick % 600 === 0)).toBe(true)
})
