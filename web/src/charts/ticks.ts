/** Round tick values: for numbers, for clock times and for durations. */

const ROUND = [1, 2, 2.5, 5, 10]

/** The smallest round step that parts `span` into at most about `most` parts. */
export function roundStep(span: number, most: number): number {
  if (!(span > 0) || !Number.isFinite(span)) return 1
  const least = span / Math.max(1, most)
  const power = 10 ** Math.floor(Math.log10(least))
  return (ROUND.find((factor) => factor * power >= least * 0.999) ?? 10) * power
}

/** Multiples of `step` within [low, high]. */
export function multiples(low: number, high: number, step: number): number[] {
  const ticks: number[] = []
  const first = Math.ceil(low / step - 1e-9)
  for (let n = first; n * step <= high + step * 1e-6; n++) ticks.push(Number((n * step).toPrecision(12)))
  return ticks
}

/** Three to five round values inside the range, their count as near to `wanted` as can be. */
export function valueTicks(low: number, high: number, wanted: number): { ticks: number[]; step: number } {
  let best = { ticks: [low, high], step: high - low }
  let nearest = Infinity
  const size = Math.ceil(Math.log10(high - low))
  for (let power = size; power > size - 4; power--) {
    for (const factor of [5, 2.5, 2, 1]) {
      const step = factor * 10 ** power
      if ((high - low) / step > 6) break // too many of this step, and more of each smaller one
      const ticks = multiples(low, high, step)
      const distance = ticks.length < 3 || ticks.length > 5 ? Infinity : Math.abs(ticks.length - wanted)
      if (distance < nearest) {
        nearest = distance
        best = { ticks, step }
      }
    }
  }
  return best
}

/** Ticks of a logarithmic axis in powers of ten; 2 and 5 between them where the range is short. Bounds are exponents. */
export function powerTicks(low: number, high: number): number[] {
  const decades = high - low
  if (decades > 6) return multiples(low, high, Math.ceil(decades / 5))
  const factors = decades > 2.5 ? [1] : decades > 1.2 ? [1, 3] : decades > 0.6 ? [1, 2, 5] : []
  if (factors.length === 0) {
    const { ticks } = valueTicks(10 ** low, 10 ** high, 4)
    return ticks.filter((tick) => tick > 0).map(Math.log10)
  }
  const ticks: number[] = []
  for (let power = Math.floor(low); power <= Math.ceil(high); power++) {
    for (const factor of factors) {
      const tick = power + Math.log10(factor)
      if (tick >= low - 1e-9 && tick <= high + 1e-9) ticks.push(tick)
    }
  }
  return ticks
}

/** How many decimals tell multiples of a step apart. */
export function decimalsOf(step: number): number {
  let decimals = 0
  while (decimals < 8 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals++
  return decimals
}

const MINUTE = 60
const HOUR = 3600
const DAY = 86400
const TIME_STEPS = [
  1,
  2,
  5,
  10,
  15,
  30,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
  14 * DAY,
  30 * DAY,
  90 * DAY,
  365 * DAY,
]

/** A step of seconds that clocks and calendars know, for at most about `most` parts. */
export function timeStep(spanSecs: number, most: number): number {
  const least = spanSecs / Math.max(1, most)
  if (least <= 0.5) return roundStep(spanSecs, most)
  return TIME_STEPS.find((step) => step >= least * 0.999) ?? TIME_STEPS.at(-1)!
}

/** Round local clock times (Unix seconds) within [low, high]. */
export function clockTicks(low: number, high: number, most: number): { ticks: number[]; step: number } {
  const step = timeStep(high - low, most)
  const offset = new Date(low * 1000).getTimezoneOffset() * MINUTE
  return { step, ticks: multiples(low - offset, high - offset, step).map((tick) => tick + offset) }
}
