/**
 * A focused chart's keys: arrows move the crosshair from record to record (with shift, ten at a time), Home and End to the
 * first and the last, plus and minus zoom about it, Page up and down pan, Enter fills the window.
 */
import { panned, zoomed } from './gestures'
import { nearestRecord, recordBeside } from './readings'
import { useStage } from './stage'
import type { SeriesFrame } from '@/data/frame'
import type { Hover } from '@/data/view'

const STRIDE = 10

export interface PlotKeysOptions {
  series: () => SeriesFrame | null
  /** The crosshair was moved here. */
  point: (at: Hover | null) => void
  toggleLarge: () => void
}

export function usePlotKeys(options: PlotKeysOptions): (event: KeyboardEvent) => void {
  const stage = useStage()
  const { view } = stage.session

  return (event) => {
    const series = options.series()
    const whole = stage.whole.value
    const shown = stage.view.value
    if (!series || !whole || !shown || event.ctrlKey || event.metaKey || event.altKey) return
    const from = view.hover.value
    const about = from?.x ?? (shown.first + shown.last) / 2

    const move = (steps: number): void => {
      const edge = steps > 0 ? shown.first : shown.last
      const start = from ?? nearestRecord(series, edge, shown)
      // An arrow's first stroke shows where it begins; Home and End go to their record at once.
      const next = start && (from || !Number.isFinite(steps) ? recordBeside(series, start, steps) : start)
      view.hover.value = next
      options.point(next)
    }
    const stride = event.shiftKey ? STRIDE : 1
    const actions: Record<string, () => void> = {
      ArrowRight: () => move(stride),
      ArrowLeft: () => move(-stride),
      Home: () => move(-Infinity),
      End: () => move(Infinity),
      '+': () => view.setZoom(zoomed(shown, whole, about, 0.5)),
      '=': () => view.setZoom(zoomed(shown, whole, about, 0.5)),
      '-': () => view.setZoom(zoomed(shown, whole, about, 2)),
      PageUp: () => view.setZoom(panned(shown, whole, -0.5)),
      PageDown: () => view.setZoom(panned(shown, whole, 0.5)),
      Enter: options.toggleLarge,
    }
    const action = actions[event.key]
    if (!action) return
    event.preventDefault()
    action()
  }
}
