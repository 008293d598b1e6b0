/**
 * Spreads drawing over frames: each frame draws charts for a few milliseconds and leaves the rest to the next, so that six
 * charts that change at once never hold the page up.
 */

/** Part of a frame of 16.7 ms that drawing may take. */
const BUDGET_MS = 8

const waiting = new Set<() => void>()
let asked = false

function drawSome(): void {
  asked = false
  const end = performance.now() + BUDGET_MS
  for (const draw of waiting) {
    waiting.delete(draw)
    draw()
    if (performance.now() >= end) break
  }
  if (waiting.size > 0) ask()
}

function ask(): void {
  if (asked) return
  asked = true
  requestAnimationFrame(drawSome)
}

/** Draws in one of the next frames; asking twice draws once. */
export function drawSoon(draw: () => void): void {
  waiting.add(draw)
  ask()
}

export function forget(draw: () => void): void {
  waiting.delete(draw)
}
