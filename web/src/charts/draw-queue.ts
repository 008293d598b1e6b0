/**
 * Spreads drawing over frames: each frame draws charts for a few milliseconds and leaves the rest to the next, so that six
 * charts that change at once never hold the page up. What a person does to the view is drawn sooner: six charts of 4,000 points
 * take some 30 ms, which are two frames then and not four.
 */

/** Part of a frame of 16.7 ms that drawing may take. */
const BUDGET_MS = 8
const HURRY_MS = 20

const waiting = new Set<() => void>()
let asked = false
let budgetMs = BUDGET_MS

function drawSome(): void {
  asked = false
  const end = performance.now() + budgetMs
  for (const draw of waiting) {
    waiting.delete(draw)
    draw()
    if (performance.now() >= end) break
  }
  if (waiting.size > 0) ask()
  else budgetMs = BUDGET_MS
}

function ask(): void {
  if (asked) return
  asked = true
  requestAnimationFrame(drawSome)
}

/** The person waits for what is drawn next. */
export function hurry(): void {
  budgetMs = HURRY_MS
}

/** Draws in one of the next frames; asking twice draws once. */
export function drawSoon(draw: () => void): void {
  waiting.add(draw)
  ask()
}

export function forget(draw: () => void): void {
  waiting.delete(draw)
}
