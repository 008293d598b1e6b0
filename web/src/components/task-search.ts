/** Which tasks match what was typed: every word of it stands in the name, a tag or the notes, whatever its case and width. */
import type { Task } from '@/wire'

/** Full-width letters and figures, as Chinese input methods type them, are the same as the plain ones. */
const plain = (text: string): string => text.normalize('NFKC').toLowerCase()

/**
 * The tasks as they stand now, in an order taken before: a list that somebody points at must not move under the pointer. What
 * came since stands last, what is gone is left out.
 */
export function inOrder(tasks: readonly Task[], ids: readonly string[]): Task[] {
  const left = new Map(tasks.map((task) => [task.id, task]))
  const held = ids.flatMap((id) => {
    const task = left.get(id)
    left.delete(id)
    return task ? [task] : []
  })
  return [...held, ...left.values()]
}

export function matchTasks(tasks: readonly Task[], typed: string): Task[] {
  const words = plain(typed).split(/\s+/).filter(Boolean)
  if (words.length === 0) return [...tasks]
  return tasks.filter((task) => {
    const hay = plain([task.name, ...task.tags, task.notes].join('\n'))
    return words.every((word) => hay.includes(word))
  })
}
