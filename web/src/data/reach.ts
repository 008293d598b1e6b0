/** How far a window of points reaches: beside what is in view, fine enough for it, and in sequences. */
import { firstFrom, type SeriesFrame } from './frame'
import type { Span } from './view'

/** A span with so many of its own widths more on either side. */
export function wider(span: Span, widths: number): Span {
  const by = (span.last - span.first) * widths
  return { first: span.first - by, last: span.last + by }
}

/** A window wider than so many spans is too coarse for them. */
const COARSEST = 4.5

/** Whether a window drawn from `cover` shows `zoom` fine enough, with so many widths to spare on either side. */
export function serves(cover: Span, zoom: Span, spare: number): boolean {
  const { first, last } = wider(zoom, spare)
  const fine = cover.last - cover.first <= COARSEST * (zoom.last - zoom.first)
  return fine && cover.first <= first && last <= cover.last
}

/** The sequences whose places on the axis lie within the span, over all lines; places ascend within a run. */
export function sequencesOf(series: ReadonlyMap<string, SeriesFrame>, span: Span): Span | null {
  let first = Infinity
  let last = -Infinity
  for (const one of series.values()) {
    for (const { raw } of one.lines) {
      const from = Math.max(0, firstFrom(raw.x.values, span.first) - 1)
      const to = Math.min(raw.x.length, firstFrom(raw.x.values, span.last) + 1)
      if (from >= to) continue
      first = Math.min(first, raw.sequence.at(from))
      last = Math.max(last, raw.sequence.at(to - 1))
    }
  }
  return first <= last ? { first, last } : null
}
