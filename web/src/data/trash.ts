/**
 * The tasks in the trash, for whoever shows them. Fetched when the first asks, after each change made here, and when the
 * list of tasks loses or wins one, for another page or a training may have done that.
 */
import { shallowRef, watch, type ShallowRef } from 'vue'
import type { Trash } from '../wire'
import { serverApi, type Api } from './api'
import { useSession } from './session'

export interface TrashState {
  /** Null until it has come. */
  content: ShallowRef<Trash | null>
  move(where: 'trash' | 'back' | 'gone', tasks: readonly string[]): Promise<void>
}

let shared: TrashState | null = null

export function useTrash(api: Pick<Api, 'trash' | 'moveTasks'> = serverApi()): TrashState {
  if (shared !== null) return shared
  const content = shallowRef<Trash | null>(null)
  const session = useSession()
  // What cannot be fetched now is fetched with the next change; the list of tasks tells that the server is away.
  const fetchIt = (): Promise<void> =>
    api.trash().then(
      (trash) => void (content.value = trash),
      () => undefined,
    )
  watch(() => session.tasks.value.length, fetchIt, { immediate: true })
  shared = {
    content,
    async move(where, tasks) {
      content.value = await api.moveTasks(where, tasks)
    },
  }
  return shared
}
