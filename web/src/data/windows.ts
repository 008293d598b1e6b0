/**
 * The series that the page holds: the whole at a coarse grain, the zoomed part at a fine one, and what comes live.
 *
 * Promises: a new window's request takes the older one back, and the old picture stays until the new one is there; where
 * there is none, the raw lines do not wait for the smoothed ones; three visible spans are fetched at a time, so that a pan
 * shows no hole; a tail that comes while a window is fetched is queued
 * and joined to it by the cursor, without gap and without double; what no chart asks for is neither fetched nor subscribed.
 */
import { shallowRef, triggerRef, type ShallowRef } from 'vue'
import type { Axis } from '../wire'
import { isAborted, type Api, type WindowQuery } from './api'
import type { Frame, SeriesFrame } from './frame'
import { sequencesOf, serves, wider } from './reach'
import { appendTail } from './tail'
import type { Span } from './view'

/** The drawing budget a series, and how many live points may stand beyond it before the window is fetched anew. */
export const POINTS = 4000
const BEYOND = 1000
/** A finer window is what is in view and as much on either side. */
const SPANS = 3
const KEPT_TASKS = 6
/** A finer window is fetched when less than this part of a span is left beside the view, or it is too wide for it. */
const EDGE = 0.5

/**
 * Raw lines alone are shown when the smoothed ones, which go through every point, take longer than this. They are asked for at
 * once: while a page is made, no timer fires for 0.3 seconds, and then they are there.
 */
const PATIENCE_MS = 80
/** Of fewer records the smoothed lines are there about as soon: 100,000 take 65 ms in a program that has just begun, and raw lines beside them 25 more. */
const LONG = 250_000

export interface WindowState {
  task: string | null
  axis: Axis
  ema: number
  ma: number
  range: 'whole' | 'latest'
  zoom: Span | null
}

export interface WindowsOptions {
  api: Pick<Api, 'frame'>
  onError: (error: unknown) => void
  /** A window came whose cursor lies before what is subscribed: subscribe anew. */
  onLoaded: () => void
  /** Asked for when a series is wanted that was not, or is no longer. */
  onWantedChange: () => void
  /** Wait after the last turn of the wheel before the finer window is fetched. */
  settleMs?: number
  /** From how many records on a task's raw lines are asked for before its smoothed ones. */
  long?: number
}

type Series = Map<string, SeriesFrame>

/** One window of all wanted series, with the request that is under way for it. */
class Layer {
  series: Series = new Map()
  /** What it covers, in units of the axis. */
  cover: Span = { first: -Infinity, last: Infinity }
  /** Of the request that is under way. */
  private asked: ReadonlySet<string> = new Set()
  private request: AbortController | null = null
  private queue: Frame[] = []
  /** Whether the request that is under way leaves what is there. */
  private keeping = false

  get busy(): boolean {
    return this.request !== null
  }

  /** Whether a series is there up to this sequence and stays, or comes with the request that is under way. */
  holds(name: string, newest: number): boolean {
    if (this.asked.has(name)) return true
    if (this.busy && !this.keeping) return false
    return (this.series.get(name)?.cursor ?? -1) >= newest
  }

  async load(
    names: readonly string[],
    fetchFrame: (signal: AbortSignal) => Promise<Frame>,
    keep: boolean,
    cover: Span,
    raw?: { fetchFrame: (signal: AbortSignal) => Promise<Frame>; onThere: () => void },
  ): Promise<boolean> {
    this.stop()
    this.asked = new Set(names)
    this.keeping = keep
    const mine = new AbortController()
    this.request = mine
    try {
      const coming = fetchFrame(mine.signal)
      if (raw) void this.loadRaw(mine, raw.fetchFrame, cover, raw.onThere)
      const frame = await coming
      if (this.request !== mine) return false
      const series: Series = keep ? new Map(this.series) : new Map()
      for (const one of frame.series) series.set(one.name, this.caughtUp(one))
      this.series = series
      this.cover = cover
      return true
    } finally {
      if (this.request === mine) this.stop()
    }
  }

  /** Shows raw lines of series that have no picture yet, while `mine`, the request for all of it, is under way. */
  private async loadRaw(
    mine: AbortController,
    fetchFrame: (signal: AbortSignal) => Promise<Frame>,
    cover: Span,
    onThere: () => void,
  ): Promise<void> {
    if ([...this.asked].every((name) => this.series.has(name))) return
    const coming = fetchFrame(mine.signal).catch(() => null) // the request for all of it tells what is wrong
    await new Promise((passed) => setTimeout(passed, PATIENCE_MS))
    const frame = await coming
    if (frame === null || this.request !== mine) return
    if (this.series.size === 0) this.cover = cover
    const missing = frame.series.filter((one) => !this.series.has(one.name))
    this.series = new Map([...this.series, ...missing.map((one) => [one.name, this.caughtUp(one)] as const)])
    onThere()
  }

  private caughtUp(one: SeriesFrame): SeriesFrame {
    for (const tail of this.queue) appendTail(one, tail)
    return one
  }

  /** Joins a tail; "refetch" where it leaves a hole or the budget is passed. */
  take(tail: Frame, names: ReadonlySet<string>, budget: number): 'refetch' | 'appended' | 'nothing' {
    if (this.busy) this.queue.push(tail)
    let result: 'refetch' | 'appended' | 'nothing' = 'nothing'
    for (const one of this.series.values()) {
      if (!names.has(one.name)) continue
      const appended = appendTail(one, tail)
      if (appended === 'gap' || appended === 'refetch' || drawn(one) > budget + BEYOND) result = 'refetch'
      else if (appended === 'appended' && result === 'nothing') result = 'appended'
    }
    return result
  }

  stop(): void {
    this.request?.abort()
    this.request = null
    this.asked = new Set()
    this.queue = []
  }

  drop(): void {
    this.stop()
    this.series = new Map()
    this.cover = { first: -Infinity, last: Infinity }
  }
}

function drawn(one: SeriesFrame): number {
  let points = 0
  for (const line of one.lines) points += line.raw.sequence.length
  return points
}

export interface Windows {
  /** What the charts draw; triggered whenever anything in it changed. */
  frames: ShallowRef<ReadonlyMap<string, SeriesFrame>>
  /** The whole (or its latest part), also while zoomed: for sparklines and latest values. */
  overview: ShallowRef<ReadonlyMap<string, SeriesFrame>>
  /** Keeps a series fetched and subscribed until the returned function is called. */
  want(name: string): () => void
  wanted(): string[]
  show(state: WindowState, newestSequence: number): void
  /** Everything anew: after a reconnect that lost the thread, or on the person's wish. */
  refetch(): void
  take(tail: Frame): void
  /** Before this sequence every wanted series is complete; null where nothing is there yet, or it is being fetched anew. */
  cursor(): number | null
  /** True while nothing is there yet to draw. */
  empty(): boolean
  stop(): void
}

export function keepWindows(options: WindowsOptions): Windows {
  const settleMs = options.settleMs ?? 60
  const long = options.long ?? LONG
  const frames = shallowRef<ReadonlyMap<string, SeriesFrame>>(new Map())
  const overview = shallowRef<ReadonlyMap<string, SeriesFrame>>(new Map())
  const whole = new Layer()
  const detail = new Layer()
  const claims = new Map<string, number>()
  const kept = new Map<string, Series>()
  let state: WindowState = { task: null, axis: 'sequence', ema: 0, ma: 0, range: 'whole', zoom: null }
  let newest = 0
  let settling: ReturnType<typeof setTimeout> | null = null
  let gathering = false
  let shownFiner: Series | null = null
  /** What the request for the zoomed part, which may be under way, covers. */
  let asked: Span = { first: 0, last: 0 }

  const names = (): Set<string> => new Set(claims.keys())
  const key = (of: WindowState) => JSON.stringify([of.task, of.axis, of.ema, of.ma, of.range])

  /** What is in view, after a zoom or with a finer window: the whole is as it was, and what hangs on it is left alone. */
  function publishView(): void {
    shownFiner = finer()
    frames.value = new Map([...whole.series, ...(shownFiner ?? [])])
  }

  /** The finer window, where it has all that is in view. */
  function finer(): Series | null {
    const { zoom } = state
    const covered = zoom !== null && detail.cover.first <= zoom.first && zoom.last <= detail.cover.last
    return covered && detail.series.size > 0 ? detail.series : null
  }

  function publish(): void {
    publishView()
    overview.value = whole.series
    triggerRef(overview)
  }

  function frameOf(task: string, query: WindowQuery) {
    return (signal: AbortSignal) => options.api.frame(task, query, signal)
  }

  function rawOf(task: string, query: WindowQuery, onThere: () => void) {
    if ((!query.ema && !query.ma) || newest < long) return undefined
    return { fetchFrame: frameOf(task, { ...query, ema: 0, ma: 0 }), onThere }
  }

  async function loadWhole(which: readonly string[], keep: boolean): Promise<void> {
    const { task, axis, ema, ma, range } = state
    if (task === null || which.length === 0) return
    const first = range === 'latest' ? Math.max(0, newest - POINTS) : undefined
    const query = { series: which, points: POINTS, axis, ema, ma, ...(first === undefined ? {} : { first }) }
    const kind = key(state)
    try {
      const cover = { first: -Infinity, last: Infinity }
      const done = await whole.load(which, frameOf(task, query), keep, cover, rawOf(task, query, publish))
      if (!done) return
      remember(kind, whole.series)
      publish()
      options.onLoaded()
      if (state.zoom !== null) settle(0)
    } catch (error) {
      if (!isAborted(error)) options.onError(error)
    }
  }

  async function loadDetail(): Promise<void> {
    const { task, axis, ema, ma, zoom } = state
    if (task === null || zoom === null || !coarse()) return
    const cover = wider(zoom, (SPANS - 1) / 2)
    asked = cover
    const span = sequences(cover)
    const view = sequences(zoom)
    if (span === null || view === null) return
    const first = Math.max(0, Math.floor(span.first))
    const last = Math.ceil(span.last) + 1
    // Raw points that fit in view are drawn, also where those beside it do not.
    const points = view.last - view.first < POINTS ? SPANS * POINTS : POINTS
    const query = { series: [...names()], first, last, points, axis, ema, ma }
    if (query.series.length === 0) return
    try {
      const raw = rawOf(task, query, publishView)
      const done = await detail.load(query.series, frameOf(task, query), false, cover, raw)
      if (!done) return
      publishView()
      options.onLoaded()
      if (state.zoom !== null && !serves(cover, state.zoom, EDGE)) settle(0)
    } catch (error) {
      if (!isAborted(error)) options.onError(error)
    }
  }

  function sequences(span: Span): Span | null {
    return state.axis === 'sequence' ? span : sequencesOf(whole.series, span)
  }

  /** Whether a finer window could show more than the whole does. */
  function coarse(): boolean {
    for (const one of whole.series.values()) if (one.bucket > 1) return true
    return false
  }

  /**
   * Not put off by further turns of the wheel: during a long pan the next window comes while the one before is still wide
   * enough. At once (0), whatever is there or under way is fetched anew.
   */
  function settle(ms: number): void {
    if (settling !== null) {
      if (ms > 0) return
      clearTimeout(settling)
    }
    settling = setTimeout(() => {
      settling = null
      const { zoom } = state
      if (ms > 0 && zoom !== null) {
        if (detail.busy ? serves(asked, zoom, 0) : serves(detail.cover, zoom, EDGE)) return
      }
      void loadDetail()
    }, ms)
  }

  function remember(asked: string, series: Series): void {
    kept.delete(asked)
    kept.set(asked, series)
    for (const old of kept.keys()) {
      if (kept.size <= KEPT_TASKS) break
      kept.delete(old)
    }
  }

  /** Charts appear together: what they want is fetched in one request. */
  function gather(): void {
    if (gathering) return
    gathering = true
    queueMicrotask(() => {
      gathering = false
      options.onWantedChange()
      const all = [...names()]
      const missing = all.filter((name) => !whole.holds(name, newest))
      if (missing.length === 0) return
      if (whole.busy) void loadWhole(all, false)
      else void loadWhole(missing, true)
      if (state.zoom !== null) settle(0)
    })
  }

  return {
    frames,
    overview,
    want(name) {
      claims.set(name, (claims.get(name) ?? 0) + 1)
      if (claims.get(name) === 1) gather()
      let released = false
      return () => {
        if (released) return
        released = true
        const left = (claims.get(name) ?? 1) - 1
        if (left > 0) claims.set(name, left)
        else {
          claims.delete(name)
          gather()
        }
      }
    },
    wanted: () => [...names()],
    show(next, newestSequence) {
      const same = key(next) === key(state)
      const zoomed = next.zoom?.first !== state.zoom?.first || next.zoom?.last !== state.zoom?.last
      const otherPlaces = next.task !== state.task || next.axis !== state.axis
      state = next
      newest = newestSequence
      if (!same) {
        detail.drop()
        const known = kept.get(key(next))
        if (known) whole.series = known
        else if (otherPlaces) whole.drop() // a task's curves, or places on another axis, must not be shown as this one's
        publish()
        void loadWhole([...names()], false)
      } else if (zoomed) {
        if (finer() !== shownFiner) publishView()
        if (next.zoom === null) detail.drop()
        else settle(settleMs)
      }
    },
    refetch() {
      void loadWhole([...names()], false)
      if (state.zoom !== null) settle(0)
    },
    take(tail) {
      if (tail.task !== state.task) return
      newest = Math.max(newest, tail.cursor)
      const wanted = names()
      const coming = whole.take(tail, wanted, POINTS)
      if (coming === 'refetch' && !whole.busy) void loadWhole([...wanted], false)
      if (detail.series.size > 0 || detail.busy) {
        if (detail.take(tail, wanted, SPANS * POINTS) === 'refetch' && !detail.busy && state.zoom !== null)
          settle(settleMs)
      }
      publish()
    },
    cursor() {
      if (whole.busy) return null // what is there is old, and subscribing at its cursor would ask for all of it once more
      let least: number | null = null
      for (const name of claims.keys()) {
        const one = whole.series.get(name)
        if (one) least = Math.min(least ?? Infinity, one.cursor)
      }
      return least
    },
    empty: () => whole.series.size === 0,
    stop() {
      if (settling !== null) clearTimeout(settling)
      whole.stop()
      detail.stop()
    },
  }
}
