/**
 * Scrolling through a list that is higher than a browser can lay out: Chromium ends an element at 33.5 million pixels, Firefox
 * at 17.9, a log of five million lines has 110.
 *
 * The scrolled element is at most LONGEST_PX high. A small move, as wheel, keys and fingers make, moves the list by as much; a
 * leap, as the scroll bar makes, goes to the same part of the list. In between, a bar that small moves took away from its part
 * is put back once they rest. Near both ends the bar's pixels are the list's own, so that first and last lines are reached.
 */
import { useDebounceFn } from '@vueuse/core'
import { computed, ref, watch, type ComputedRef, type Ref } from 'vue'

/** Whole pixels up to 16.7 million are exact in the 32-bit floats that browsers place things with. */
export const LONGEST_PX = 10_000_000
/** At each end, where bar and list move alike. */
export const END_PX = 200_000
/** More than a wheel or a finger moves in a frame, less than one pixel of a scroll bar does. */
const LEAP_PX = 4096
const REST_MS = 150

/** Where in the list the bar stands; both lengths without the part in view. */
export function listPlace(barPx: number, barLength: number, listLength: number): number {
  if (barLength >= listLength || barPx <= END_PX) return barPx
  if (barPx >= barLength - END_PX) return listLength - (barLength - barPx)
  return END_PX + ((barPx - END_PX) * (listLength - 2 * END_PX)) / (barLength - 2 * END_PX)
}

/** And back. */
export function barPlace(listPx: number, barLength: number, listLength: number): number {
  if (barLength >= listLength || listPx <= END_PX) return listPx
  if (listPx >= listLength - END_PX) return barLength - (listLength - listPx)
  return END_PX + ((listPx - END_PX) * (barLength - 2 * END_PX)) / (listLength - 2 * END_PX)
}

export interface LongScroll {
  /** Height to give the scrolled element. */
  heightPx: ComputedRef<number>
  /** What of the list is at the top of the view. */
  topPx: Ref<number>
  /** To be taken from a place in the list to have its place in the scrolled element. */
  aheadPx: Ref<number>
  scrollTo(listPx: number): void
  /** For the scroller's own event. */
  scrolled(): void
}

export function useLongScroll(
  scroller: Readonly<Ref<HTMLElement | null>>,
  listPx: () => number,
  seenPx: () => number,
): LongScroll {
  const topPx = ref(0)
  const aheadPx = ref(0)
  const heightPx = computed(() => Math.min(LONGEST_PX, listPx()))
  const barLength = (): number => Math.max(0, heightPx.value - seenPx())
  const listLength = (): number => Math.max(0, listPx() - seenPx())
  let barPx = 0

  /** Whole pixels between the two, so that lines are as sharp as anywhere. */
  function put(wanted: number): void {
    aheadPx.value = Math.round(wanted - barPx)
    topPx.value = barPx + aheadPx.value
  }

  function scrollTo(wanted: number): void {
    const within = Math.min(listLength(), Math.max(0, wanted))
    if (isShown()) {
      scroller.value!.scrollTop = barPlace(within, barLength(), listLength())
      barPx = scroller.value!.scrollTop // as the browser rounded it
    }
    put(within)
  }

  /** On a page that is not shown nothing has a height and nothing scrolls; its bar comes back with it as it was. */
  const isShown = (): boolean => (scroller.value?.clientHeight ?? 0) > 0
  function settle(): void {
    if (isShown()) scrollTo(topPx.value)
  }
  const settleSoon = useDebounceFn(settle, REST_MS)

  watch([listPx, seenPx], settle, { flush: 'post' })

  return {
    heightPx,
    topPx,
    aheadPx,
    scrollTo,
    scrolled() {
      if (!scroller.value) return
      const movedPx = scroller.value.scrollTop - barPx
      if (movedPx === 0) return
      barPx += movedPx
      put(Math.abs(movedPx) < LEAP_PX ? topPx.value + movedPx : listPlace(barPx, barLength(), listLength()))
      if (listLength() > barLength()) void settleSoon()
    },
  }
}
