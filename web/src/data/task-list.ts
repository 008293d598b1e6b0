/**
 * All tasks, newest first, kept true by what the socket tells: single changes, and after each connecting the whole list,
 * which comes in parts.
 */
import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import type { Task, TasksChanged } from '../wire'

export interface TaskList {
  /** Newest first. */
  tasks: ShallowRef<Task[]>
  /** False until the whole list has come for the first time. */
  known: Ref<boolean>
  /** The whole list comes next. */
  expectAll(): void
  receive(message: Pick<TasksChanged, 'tasks' | 'removed' | 'more'>): void
  /** Changes that were learnt of in another way. */
  take(changed: readonly Task[], removed: readonly string[]): void
}

/** `onChange` is told of the tasks that are gone. */
export function keepTasks(onChange: (removed: readonly string[]) => void): TaskList {
  const tasks = shallowRef<Task[]>([])
  const known = ref(false)
  /** The list while it comes in parts, and which of those known before it have not been told again. */
  let arriving: { tasks: Task[]; untold: Set<string> } | null = null

  function take(changed: readonly Task[], removed: readonly string[]): void {
    const byId = new Map(tasks.value.map((task) => [task.id, task]))
    for (const task of changed) byId.set(task.id, task)
    for (const id of removed) byId.delete(id)
    tasks.value = [...byId.values()].sort(
      (a, b) => (b.started ?? Infinity) - (a.started ?? Infinity) || a.id.localeCompare(b.id),
    )
    onChange(removed)
  }

  return {
    tasks,
    known,
    expectAll() {
      arriving = { tasks: [], untold: new Set(tasks.value.map(({ id }) => id)) }
    },
    /** Sorted once, when all parts are there. */
    receive({ tasks: told, removed, more }) {
      if (arriving === null) return take(told, removed)
      arriving.tasks.push(...told)
      for (const { id } of told) arriving.untold.delete(id)
      if (more) return
      const { tasks: all, untold } = arriving
      arriving = null
      known.value = true
      // What the list does not hold was removed while nobody told this page.
      take(all, [...untold])
    },
    take,
  }
}
