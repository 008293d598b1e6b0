import { describe, expect, it } from 'vitest'
import { RequestFailed, type LogQuery } from '@/data/api'
import type { LogPage, LogRow } from '@/wire'
import { keepLogPages, PAGE_ROWS } from './log-pages'

const rowOf = (sequence: number) => ({ sequence }) as LogRow

/** A log of so many rows, newest first, answering in the order that the test lets it. */
function logOf(total: number) {
  const asked: LogQuery[] = []
  const waiting: (() => void)[] = []
  async function fetchLog(query: LogQuery, signal?: AbortSignal): Promise<LogPage> {
    asked.push(query)
    await new Promise<void>((resolve) => waiting.push(resolve))
    signal?.throwIfAborted()
    const offset = query.offset ?? 0
    const count = Math.max(0, Math.min(query.limit ?? 0, total - offset))
    return { total, rows: Array.from({ length: count }, (_, place) => rowOf(total - 1 - offset - place)) }
  }
  async function answer(): Promise<void> {
    for (const resolve of waiting.splice(0)) resolve()
    await new Promise((resolve) => setTimeout(resolve))
  }
  return { asked, fetchLog, answer }
}

describe('pages', () => {
  it('fetch only what is in view, each page once', async () => {
    const log = logOf(1_000_000)
    const pages = keepLogPages(log.fetchLog)
    pages.ask({})
    await log.answer()
    expect(pages.total.value).toBe(1_000_000)
    pages.ensure(0, 40)
    pages.ensure(500_000, 500_040)
    pages.ensure(500_010, 500_050)
    await log.answer()
    expect(log.asked.map(({ offset }) => offset)).toEqual([0, 500_000])
    expect(pages.rowAt(500_001)?.sequence).toBe(999_999 - 500_001)
    expect(pages.rowAt(PAGE_ROWS * 3)).toBeUndefined()
  })

  it('begin with a first page that is known', async () => {
    const log = logOf(1000)
    const pages = keepLogPages(log.fetchLog)
    pages.ask({}, { total: 1000, rows: [rowOf(999)] })
    expect([pages.known.value, pages.total.value, pages.rowAt(0)?.sequence]).toEqual([true, 1000, 999])
    pages.ensure(0, PAGE_ROWS + 1)
    await log.answer()
    expect(log.asked.map(({ offset }) => offset)).toEqual([PAGE_ROWS])
  })

  it('fetch what is in view again where the same query begins anew', async () => {
    const log = logOf(1000)
    const pages = keepLogPages(log.fetchLog)
    for (const first of [{ total: 1000, rows: [rowOf(999)] }, undefined]) {
      pages.ask({ search: '' }, first)
      await log.answer()
      pages.ensure(500, 540)
      await log.answer()
      pages.ask({ search: '' }, first)
      expect(pages.rowAt(500) !== undefined).toBe(first === undefined)
      await log.answer()
      await log.answer()
      expect(pages.rowAt(500)?.sequence).toBe(499)
    }
    // Of another query nobody has seen a place.
    log.asked.length = 0
    pages.ask({ search: 'loss' })
    await log.answer()
    await log.answer()
    expect(log.asked.map(({ offset }) => offset)).toEqual([0])
  })

  it('keep a bounded number of rows', async () => {
    const log = logOf(1_000_000)
    const pages = keepLogPages(log.fetchLog)
    pages.ask({})
    await log.answer()
    for (let page = 1; page < 100; page += 1) {
      pages.ensure(page * PAGE_ROWS, page * PAGE_ROWS + 1)
      await log.answer()
    }
    expect(pages.rowAt(99 * PAGE_ROWS)).toBeDefined()
    expect(pages.rowAt(0)).toBeUndefined()
  })

  it('forget an older query, also its answer that is still under way', async () => {
    const log = logOf(10)
    const pages = keepLogPages(log.fetchLog)
    pages.ask({ search: 'old' })
    pages.ask({ search: 'new' })
    expect(pages.known.value).toBe(false)
    await log.answer()
    expect(log.asked.map(({ search }) => search)).toEqual(['old', 'new'])
    expect(pages.known.value).toBe(true)
    expect(pages.error.value).toBeNull()
  })

  it('tell a failure, and recover', async () => {
    const body = { code: 'store', what: 'w', why: 'y', action: 'a', lost: null }
    let fail = true
    const pages = keepLogPages(async () => {
      if (fail) throw new RequestFailed(body, 500)
      return { rows: [rowOf(0)], total: 1 }
    })
    pages.ask({})
    await new Promise((resolve) => setTimeout(resolve))
    expect(pages.error.value).toEqual(body)
    fail = false
    pages.ask({})
    await new Promise((resolve) => setTimeout(resolve))
    expect(pages.error.value).toBeNull()
    expect(pages.rowAt(0)?.sequence).toBe(0)
  })
})
