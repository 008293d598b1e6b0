/** From a record's sequence to a place on the axis on screen: findings and log lines show where they are in the curves. */
import type { SeriesFrame } from '@/data/frame'
import type { Session } from '@/data/session'

/** The place on the axis of the record that is nearest to a sequence; null while nothing is drawn. */
export function placeOf(series: Iterable<SeriesFrame>, sequence: number): number | null {
  let nearest = Infinity
  let x: number | null = null
  for (const { lines } of series) {
    for (const { raw } of lines) {
      const values = raw.sequence.values
      let low = 0
      let high = values.length - 1
      while (low < high) {
        const middle = (low + high) >> 1
        if (values[middle]! < sequence) low = middle + 1
        else high = middle
      }
      for (const place of [low - 1, low]) {
        const distance = Math.abs((values[place] ?? Infinity) - sequence)
        if (distance < nearest) {
          nearest = distance
          x = raw.x.at(place)
        }
      }
    }
  }
  return x
}

const drawn = (session: Session): Iterable<SeriesFrame> => session.overview.value.values()

/** Puts the crosshair of all charts on a record. */
export function pointAt(session: Session, sequence: number): void {
  const x = session.settings.axis === 'sequence' ? sequence : placeOf(drawn(session), sequence)
  session.view.hover.value = x === null ? null : { sequence, x }
}

/** Shows the part of all charts from one record to another. */
export function zoomTo(session: Session, firstSequence: number, lastSequence: number): void {
  const last = Math.max(firstSequence + 1, lastSequence)
  if (session.settings.axis === 'sequence') {
    const cursor = session.detail.value?.cursor ?? last
    session.view.setZoom({
      first: Math.max(0, firstSequence),
      last: Math.min(Math.max(cursor, firstSequence + 1), last),
    })
    return
  }
  const from = placeOf(drawn(session), firstSequence)
  const to = placeOf(drawn(session), last)
  if (from !== null && to !== null && from !== to) {
    session.view.setZoom({ first: Math.min(from, to), last: Math.max(from, to) })
  }
}
