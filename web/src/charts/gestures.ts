/**
 * The pointer on a chart: hovering, brushing, the wheel, two clicks. Each becomes a call with places on the axis; what a
 * gesture means for the view stands here once, so that all charts feel the same.
 *
 * A brush narrower than a few pixels is a click. The wheel zooms about the pointer; sideways (or with shift) it pans. On a
 * narrow screen the page itself scrolls, so there the wheel zooms only with ctrl.
 */
import { useEventListener } from '@vueuse/core'
import { shallowRef, type Ref, type ShallowRef } from 'vue'
import { fromX, type Geometry } from './geometry'
import type { Span, View } from '@/data/view'

const CLICK_PX = 5
/** The wheel's deltaY that halves or doubles what is in view. */
const DELTA_TO_DOUBLE = 400
const NARROW_PX = 900
/** Turns of the wheel that follow one another within this time are one gesture, and one step back. */
const GESTURE_MS = 400
/** The closest zoom: this many records, steps or seconds, or this part of the whole where that is less. */
const FEWEST = 4

export interface Brush {
  fromPx: number
  toPx: number
}

export interface GestureOptions {
  box: Ref<HTMLElement | null>
  geometry: () => Geometry | null
  /** How far the axis reaches when nothing is zoomed. */
  whole: () => Span | null
  view: View
  /** The pointer is at this place on the axis, or has left. */
  hover: (x: number | null) => void
  /** A click where the pointer is. */
  click: () => void
}

/** The part that a turn of the wheel leaves in view, about a place that stays where it is; null: all of it. */
export function zoomed(view: Span, whole: Span, about: number, factor: number): Span | null {
  const least = Math.min(FEWEST, (whole.last - whole.first) / 100)
  const width = Math.max(least, (view.last - view.first) * factor)
  if (width >= whole.last - whole.first) return null
  const part = (about - view.first) / (view.last - view.first)
  return within({ first: about - part * width, last: about + (1 - part) * width }, whole)
}

/** Moved by a part of its own width, without leaving the whole. */
export function panned(view: Span, whole: Span, part: number): Span {
  const by = (view.last - view.first) * part
  return within({ first: view.first + by, last: view.last + by }, whole)
}

function within(span: Span, whole: Span): Span {
  const back = Math.max(0, whole.first - span.first) - Math.max(0, span.last - whole.last)
  return { first: span.first + back, last: span.last + back }
}

export function useGestures(options: GestureOptions): { brush: ShallowRef<Brush | null> } {
  const { box, view } = options
  const brush = shallowRef<Brush | null>(null)
  let startPx: number | null = null
  let lastWheel = -Infinity

  const place = (event: MouseEvent): number => event.clientX - (box.value?.getBoundingClientRect().left ?? 0)
  const inPlot = (px: number): number => {
    const geometry = options.geometry()
    return geometry ? Math.min(geometry.right, Math.max(geometry.left, px)) : px
  }

  useEventListener(box, 'pointermove', (event: PointerEvent) => {
    const geometry = options.geometry()
    if (!geometry) return
    const px = place(event)
    if (startPx !== null) {
      brush.value = Math.abs(px - startPx) < CLICK_PX ? null : { fromPx: inPlot(startPx), toPx: inPlot(px) }
    }
    const beside = px < geometry.left - 8 || px > geometry.right + 8
    options.hover(beside && startPx === null ? null : fromX(geometry, inPlot(px)))
  })
  useEventListener(box, 'pointerleave', () => {
    if (startPx === null) options.hover(null)
  })
  useEventListener(box, 'pointerdown', (event: PointerEvent) => {
    if (event.button !== 0 || event.pointerType === 'touch') return
    startPx = place(event)
    box.value?.setPointerCapture(event.pointerId)
  })
  useEventListener(box, 'pointerup', () => {
    const geometry = options.geometry()
    const drawn = brush.value
    if (startPx !== null && drawn === null) options.click()
    startPx = null
    brush.value = null
    if (!geometry || !drawn) return
    const first = fromX(geometry, Math.min(drawn.fromPx, drawn.toPx))
    const last = fromX(geometry, Math.max(drawn.fromPx, drawn.toPx))
    if (last > first) view.setZoom({ first, last })
  })
  useEventListener(box, 'pointercancel', () => {
    startPx = null
    brush.value = null
  })
  useEventListener(box, 'dblclick', () => view.back())
  useEventListener(
    box,
    'wheel',
    (event: WheelEvent) => {
      const geometry = options.geometry()
      const whole = options.whole()
      if (!geometry || !whole || (window.innerWidth <= NARROW_PX && !event.ctrlKey)) return
      event.preventDefault()
      const now = performance.now()
      const gesture = now - lastWheel < GESTURE_MS ? 'same' : 'new'
      lastWheel = now
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 32 : 1
      const sideways = event.shiftKey ? event.deltaY : event.deltaX
      if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
        if (view.zoom.value) view.setZoom(panned(geometry.x, whole, (sideways * unit) / 800), gesture)
        return
      }
      const factor = 2 ** ((event.deltaY * unit) / DELTA_TO_DOUBLE)
      const next = zoomed(geometry.x, whole, fromX(geometry, inPlot(place(event))), factor)
      if (next !== null || view.zoom.value !== null) view.setZoom(next, gesture)
    },
    { passive: false },
  )

  return { brush }
}
