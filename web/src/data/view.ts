/**
 * What the charts show, all together: the zoomed part, whether they follow the newest point, and where the pointer is.
 *
 * Each task has its own, kept while the page lives, so that coming back to a task or to the page finds it as it was left.
 * A zoomed part is in units of the axis (sequences, steps, seconds …).
 */
import { computed, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from 'vue'

export interface Span {
  first: number
  last: number
}

export interface Hover {
  /** The record under the pointer. */
  sequence: number
  /** Its place on the axis. */
  x: number
  /** Its run, where more than one could be meant: by step, lines lie over each other. */
  run?: number
  step?: number
}

export interface View {
  zoom: Ref<Span | null>
  follow: Ref<boolean>
  hover: Ref<Hover | null>
  /** The record that was clicked in a chart: the log shows its line. */
  picked: ShallowRef<{ sequence: number } | null>
  canGoBack: ComputedRef<boolean>
  /** Shows this part. A step of one gesture (a wheel's turn) replaces the step before instead of being one to go back to. */
  setZoom(span: Span | null, gesture?: 'new' | 'same'): void
  /** To what was shown before, at last the whole. */
  back(): void
  /** To the whole, and follow the newest point. */
  followAgain(): void
}

interface Remembered {
  zoom: Span | null
  follow: boolean
  before: (Span | null)[]
}

const fresh = (): Remembered => ({ zoom: null, follow: true, before: [] })
const DEEPEST = 50

export interface KeptView extends View {
  /** Shows what is remembered of this place (a task and an axis). */
  show(place: string): void
}

export function keepView(): KeptView {
  const places = new Map<string, Remembered>()
  let current = fresh()
  const zoom = shallowRef<Span | null>(null)
  const follow = ref(true)
  const hover = shallowRef<Hover | null>(null)
  const picked = shallowRef<{ sequence: number } | null>(null)
  const depth = ref(0)

  function put(span: Span | null, following: boolean): void {
    current.zoom = span
    current.follow = following
    zoom.value = span
    follow.value = following
    depth.value = current.before.length
  }

  return {
    zoom,
    follow,
    hover,
    picked,
    canGoBack: computed(() => depth.value > 0),
    setZoom(span, gesture = 'new') {
      if (gesture === 'new' || current.before.length === 0) {
        current.before.push(current.zoom)
        if (current.before.length > DEEPEST) current.before.shift()
      }
      put(span, span === null && follow.value)
    },
    back() {
      if (current.before.length === 0) return
      const span = current.before.pop() ?? null
      put(span, span === null)
    },
    followAgain() {
      current.before = []
      put(null, true)
    },
    show(place) {
      current = places.get(place) ?? fresh()
      places.set(place, current)
      hover.value = null
      picked.value = null
      put(current.zoom, current.follow)
    },
  }
}
