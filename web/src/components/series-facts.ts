/** Single figures out of a whole series, for the review of an ended task. */
import type { SeriesFrame } from '@/data/frame'

export interface BestPoint {
  value: number
  step: number
  run: number
}

/** The lowest finite value and where it was; thinning keeps every minimum, so it is the true one. */
export function bestPoint(series: SeriesFrame | undefined): BestPoint | null {
  let best: BestPoint | null = null
  for (const { run, raw } of series?.lines ?? []) {
    const { values } = raw.value
    for (let place = 0; place < values.length; place += 1) {
      const value = values[place]!
      if (Number.isFinite(value) && (best === null || value < best.value))
        best = { value, step: raw.step.at(place), run }
    }
  }
  return best
}
