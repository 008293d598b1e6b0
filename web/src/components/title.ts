/** The title of the page, and of the window around it: how far the training is, and which task is looked at. */
import type { Task } from '@/wire'

export function pageTitle(task: Task | null): string {
  if (task === null) return 'Stepline'
  const { status, step, total_steps: total } = task
  const lives = status === 'running' || status === 'stopping'
  // Whole parts: a title that changes with every step is a flicker in the task bar.
  const done = lives && step !== null && total ? `${Math.floor(100 * Math.min(1, step / total))} % · ` : ''
  return `${done}${task.name} · Stepline`
}
