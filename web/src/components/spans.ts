/** The spans that a smoothing slider stops at: near-equal steps for the eye, from a light touch to a strong one. */
export const SPANS: readonly number[] = [2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500]

/** The place on the slider that is nearest to a span. */
export function spanPlace(span: number): number {
  let best = 0
  SPANS.forEach((candidate, place) => {
    if (Math.abs(Math.log(candidate / span)) < Math.abs(Math.log(SPANS[best]! / span))) best = place
  })
  return best
}

export function spanAt(place: number): number {
  return SPANS[Math.min(SPANS.length - 1, Math.max(0, Math.round(place)))]!
}
