/**
 * The rows of the table of tasks: found, filtered, sorted. While somebody points at them they keep their places, though tasks
 * that train move up by each step; a new search, filter or sort places them anew.
 */
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref } from 'vue'
import type { Task } from '@/wire'
import { statusLook, type StatusLook } from './status'
import { inOrder, matchTasks } from './task-search'
import { sortTasks, type Column } from './task-table'

export interface TaskRows {
  text: Ref<string>
  status: Ref<StatusLook | 'all'>
  sort: Ref<{ column: Column; down: boolean }>
  /** What was searched for, of every status. */
  matching: ComputedRef<Task[]>
  shown: ComputedRef<Task[]>
}

export function keepTaskRows(tasks: () => readonly Task[], pointed: Ref<boolean>): TaskRows {
  const text = ref('')
  const status = ref<StatusLook | 'all'>('all')
  const sort = ref<{ column: Column; down: boolean }>({ column: 'updated', down: true })
  const matching = computed(() => matchTasks(tasks(), text.value))
  const sorted = computed(() => {
    const of = matching.value.filter((task) => status.value === 'all' || statusLook(task.status) === status.value)
    return sortTasks(of, sort.value.column, sort.value.down)
  })
  const held = shallowRef<string[] | null>(null)
  watch(
    [pointed, text, status, sort],
    () => (held.value = pointed.value ? sorted.value.map((task) => task.id) : null),
    { flush: 'sync' },
  )
  const shown = computed(() => (held.value ? inOrder(sorted.value, held.value) : sorted.value))
  return { text, status, sort, matching, shown }
}
