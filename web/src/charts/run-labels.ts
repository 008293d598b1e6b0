/** Where runs begin and end: rules, names, and what changed from one to the next. */
import { changeTexts, firstChanges } from './changes'
import { covered } from './curves'
import { isInside, overlaps, toX, toY, type Box, type Geometry } from './geometry'
import { lastFinite, LINE_PX, text, type Graphic, type LabelQuery } from './graphics'
import type { Tokens } from './tokens'
import type { SeriesFrame } from '@/data/frame'
import type { Checkpoint, Run } from '@/wire'

export function separator(geometry: Geometry, px: number, tokens: Tokens): Graphic {
  const x = Math.round(px) + 0.5
  return {
    type: 'line',
    silent: true,
    z: 1,
    shape: { x1: x, y1: geometry.top, x2: x, y2: geometry.bottom },
    style: { stroke: tokens.edge, lineWidth: 1, lineDash: [3, 3] },
  }
}

export interface Start {
  run: Run
  px: number
  /** False for the run that the view begins with. */
  ruled: boolean
}

/** The runs' starts in view, from left to right. By step only runs that resumed have one: the others all begin at 0. */
export function starts(query: LabelQuery): Start[] {
  const { geometry, axis, runs, series } = query
  const found: Start[] = []
  if (axis === 'sequence' || axis === 'time') {
    const place = (run: Run) => (axis === 'time' ? run.started : run.first_sequence! - 0.5)
    const began = runs.filter((run) => run.first_sequence !== null).sort((a, b) => place(a) - place(b))
    began.forEach((run, at) => {
      const x = at === 0 ? geometry.x.first : place(run)
      const next = at + 1 < began.length ? place(began[at + 1]!) : Infinity
      if (x > geometry.x.last || next <= geometry.x.first) return
      const ruled = at > 0 && x > geometry.x.first
      found.push({ run, px: ruled ? toX(geometry, x) : geometry.left, ruled })
    })
    return found
  }
  if (axis !== 'step') return found
  for (const run of runs) {
    const step = resumedAt(run, series, query.checkpoints)
    if (step <= 0 || step < geometry.x.first || step > geometry.x.last) continue
    found.push({ run, px: toX(geometry, step), ruled: true })
  }
  return found.sort((a, b) => a.px - b.px)
}

/**
 * The step from which a run resumed, or 0 where it started from scratch: the checkpoint of an earlier run right before its first
 * logged step; where none is known, one logging interval before it.
 */
export function resumedAt(run: Run, series: SeriesFrame, checkpoints: readonly Checkpoint[]): number {
  const steps = series.lines.find((one) => one.run === run.number)?.raw.step
  const first = run.first_step ?? steps?.at(0) ?? 0
  if (run.number === 1 || !(first > 0)) return 0
  const logged = steps && steps.length > 1 ? Math.max(1, steps.at(1) - steps.at(0)) : 1
  const known = checkpoints
    .filter((one) => one.run < run.number && one.step !== null && one.step <= first && first - one.step <= logged)
    .map((one) => one.step!)
  if (known.length > 0) return Math.max(...known)
  return first > 3 * logged ? first - logged : 0
}

const GAP_PX = 8

export function runLabels(query: LabelQuery, begun: readonly Start[]): Graphic[] {
  const { geometry, tokens, words, measure } = query
  const y = geometry.top - 14
  const places = begun.map((start, at) => {
    const left = start.ruled ? start.px + 6 : start.px
    return { start, left, room: (begun[at + 1]?.px ?? geometry.right + 40) - left - GAP_PX }
  })
  const nameless = places.filter(({ start, room }) => room < measure(words.run(start.run.number), true)).length
  // One short run among others is told by its number; of several, half a row of names would read as if runs were missing.
  const byNumber = nameless > 1
  const graphics: Graphic[] = []
  let free = Infinity
  // From the newest back: where numbers too stand closer than they are wide, the older one gives way.
  for (const { start, left, room } of places.reverse()) {
    const name = words.run(start.run.number)
    const shown = byNumber || measure(name, true) > room ? String(start.run.number) : name
    const width = measure(shown, true)
    if (left + width > free) continue
    free = left - GAP_PX
    graphics.push(text(tokens, shown, { x: left, y }, { color: tokens.ink, weight: 600 }))
    const detail = query.withChanges ? changesWithin(query, start.run, room - width - 6) : ''
    if (detail) graphics.push(text(tokens, detail, { x: left + width + 7, y }, { color: tokens.ink2 }))
  }
  return graphics
}

/** As many of a run's changes as have room, and how many more there are. */
function changesWithin({ axis, series, checkpoints, words, measure }: LabelQuery, run: Run, roomPx: number): string {
  const said = changeTexts(run.changes)
  const resumed = resumedAt(run, series, checkpoints)
  if (resumed > 0 && (axis === 'step' || said.length === 0)) said.unshift(words.resumed(resumed))
  for (let most = said.length; most > 0; most--) {
    const detail = firstChanges(said, most)
    if (measure(detail, false) <= roomPx) return detail
  }
  return ''
}

/**
 * By step: a dot's label at the end of each older run, where it covers least; how the run ended is left out where it has no
 * room, and of labels that would lie over each other the older one.
 */
export function endedLabels(query: LabelQuery, taken: Box[]): Graphic[] {
  const { series, geometry, tokens, words, measure, runs, axis } = query
  const graphics: Graphic[] = []
  for (const line of series.lines.slice(0, -1).reverse()) {
    const points = line.smooth ?? line.raw
    const place = lastFinite(points.value.values)
    const run = runs.find((one) => one.number === line.run)
    if (place < 0 || !run) continue
    const x = toX(geometry, points.x.at(place))
    const y = toY(geometry, points.value.at(place))
    if (x < geometry.left || x > geometry.right || !isInside(geometry, y)) continue
    const name = words.run(run.number)
    const nameWidth = measure(name, true)
    const ended = query.withChanges && axis === 'step' ? words.ended(run) : ''
    const whole = ended && freest(query, taken, x, y, nameWidth + 6 + measure(ended, false))
    const box = whole || freest(query, taken, x, y, nameWidth)
    if (!box) continue
    taken.push(box)
    const middle = { x: box.left, y: box.top + LINE_PX / 2 }
    graphics.push(text(tokens, name, middle, { color: tokens.ink, weight: 600, halo: true }))
    if (whole) {
      const after = { ...middle, x: middle.x + nameWidth + 6 }
      graphics.push(text(tokens, ended, after, { color: tokens.ink2, halo: true }))
    }
  }
  return graphics
}

/** Of the boxes around a point inside the plot and over no label the one that covers the fewest points; null where there is none. */
function freest(query: LabelQuery, taken: readonly Box[], x: number, y: number, width: number): Box | null {
  const { geometry, series } = query
  let best: Box | null = null
  let least = Infinity
  for (const top of [y - LINE_PX - 6, y + 6, y - LINE_PX / 2]) {
    for (const left of [x + 6, x - width - 6, x - width / 2]) {
      const box = { left, top, width, height: LINE_PX }
      const outside =
        left < geometry.left || left + width > geometry.right || top < geometry.top || top + LINE_PX > geometry.bottom
      if (outside || taken.some((one) => overlaps(one, box))) continue
      const cost =
        covered(series, geometry, box) + (query.evaluations ? covered(query.evaluations, geometry, box) * 8 : 0)
      if (cost < least) {
        least = cost
        best = box
      }
    }
  }
  return best
}
