/**
 * The complete log, page by page: only the pages in view are fetched, so that a million lines cost as much as a screenful.
 *
 * Promises: a new filter or search takes the older requests back; a page is asked for once while it is under way; at most
 * KEPT pages stay in memory, the ones furthest from view go first. Rows are newest first.
 */
import { ref, shallowReactive, type Ref } from 'vue'
import { errorBody, isAborted, type LogQuery } from '@/data/api'
import type { ErrorBody, LogPage, LogRow } from '@/wire'

export const PAGE_ROWS = 200
const KEPT = 40

export interface LogPages {
  total: Ref<number>
  /** False until the first page of the present query has come. */
  known: Ref<boolean>
  error: Ref<ErrorBody | null>
  rowAt(place: number): LogRow | undefined
  /** Fetches what is missing between two places, the second not included. */
  ensure(first: number, last: number): void
  /**
   * Begins anew with this query; its first page, where that is known already, is not fetched. Where the query is the same, what
   * is there stays until the answer comes, and what is in view is fetched again: the list has not moved, so nobody asks for it.
   */
  ask(query: Pick<LogQuery, 'kinds' | 'search'>, first?: LogPage): void
  stop(): void
}

export function keepLogPages(fetchLog: (query: LogQuery, signal?: AbortSignal) => Promise<LogPage>): LogPages {
  const total = ref(0)
  const known = ref(false)
  const error = ref<ErrorBody | null>(null)
  const pages = shallowReactive(new Map<number, LogRow[]>())
  let asked: Pick<LogQuery, 'kinds' | 'search'> = {}
  let under = new Set<number>()
  let abort = new AbortController()
  let inView = { first: 0, last: 0 }
  /** What is there was asked for before the query began anew. */
  let stale = false

  function take(page: number, answer: LogPage): void {
    if (stale) pages.clear()
    stale = false
    pages.set(page, answer.rows)
    total.value = answer.total
    known.value = true
    error.value = null
    forget(page)
  }

  async function fetchPage(page: number): Promise<void> {
    const { signal } = abort
    const mine = under
    mine.add(page)
    try {
      const answer = await fetchLog({ ...asked, newest: true, offset: page * PAGE_ROWS, limit: PAGE_ROWS }, signal)
      if (signal.aborted) return
      const anew = stale || !known.value
      take(page, answer)
      if (anew) ensure(inView.first, inView.last)
    } catch (failure) {
      if (!signal.aborted && !isAborted(failure)) error.value = errorBody(failure)
    } finally {
      mine.delete(page)
    }
  }

  function forget(near: number): void {
    if (pages.size <= KEPT) return
    const far = [...pages.keys()].sort((a, b) => Math.abs(b - near) - Math.abs(a - near))
    for (const page of far.slice(0, pages.size - KEPT)) pages.delete(page)
  }

  function stop(): void {
    abort.abort()
    abort = new AbortController()
    under = new Set()
  }

  function ensure(first: number, last: number): void {
    inView = { first, last }
    const until = known.value ? Math.min(last, total.value) : last
    for (let page = Math.floor(first / PAGE_ROWS); page * PAGE_ROWS < until; page += 1) {
      if (!pages.has(page) && !under.has(page)) void fetchPage(page)
    }
  }

  return {
    total,
    known,
    error,
    rowAt: (place) => pages.get(Math.floor(place / PAGE_ROWS))?.[place % PAGE_ROWS],
    ensure,
    ask(query, first) {
      stop()
      stale = JSON.stringify(query) === JSON.stringify(asked)
      if (!stale) {
        inView = { first: 0, last: 0 }
        pages.clear()
        known.value = false
      }
      asked = query
      if (first) {
        take(0, first)
        ensure(inView.first, inView.last)
      } else void fetchPage(0)
    },
    stop,
  }
}
