/**
 * Spreads drawing over frames: one chart a frame, so that six charts that change at once never hold the page up. A main chart
 * of 4,000 points takes 2 ms of script and, without a GPU, 7 to 10 ms of rasterizing after it: two of them would be a frame lost.
 * What follows on what a person does to the view is drawn all at once: they wait for the whole picture.
 */
const waiting = new Set<() => void>()
let asked = false
let hurried = false

function drawSome(): void {
  asked = false
  for (const draw of waiting) {
    waiting.delete(draw)
    draw()
    if (!hurried) break
  }
  if (waiting.size > 0) ask()
  else hurried = false
}

function ask(): void {
  if (asked) return
  asked = true
  requestAnimationFrame(drawSome)
}

/** The person waits for what is drawn next. */
export function hurry(): void {
  hurried = true
}

/** Draws in one of the next frames; asking twice draws once. */
export function drawSoon(draw: () => void): void {
  waiting.add(draw)
  ask()
}

export function forget(draw: () => void): void {
  waiting.delete(draw)
}
