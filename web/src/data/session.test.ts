import { nextTick } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Api } from './api'
import { Server } from './made-server'
import { createSession, LIVE_ROWS, type Session } from './session'

let server: Server
let session: Session

async function settle(): Promise<void> {
  for (let round = 0; round < 20; round++) await Promise.resolve()
  await nextTick()
  await vi.advanceTimersByTimeAsync(100)
}

const drawn = (metric = 'loss'): number[] => [
  ...(session.frames.value.get(metric)?.lines[0]?.raw.sequence.values ?? []),
]
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at)

beforeEach(async () => {
  vi.useFakeTimers()
  server = new Server()
  session = createSession({ api: server.api(), connect: server.connect, patienceMs: 100, long: 1 })
  session.want('loss')
  await session.start()
  await settle()
  server.socket.open()
  await settle()
})

afterEach(() => {
  session.stop()
  vi.useRealTimers()
})

describe('a session', () => {
  it('opens the running task, its window and its newest rows', () => {
    expect(session.taskId.value).toBe('a')
    expect(session.mode.value).toBe('live')
    expect(drawn()).toEqual([0, 1, 2])
    expect(session.rows.value.map((row) => row.sequence)).toEqual([2, 1, 0])
    expect(server.socket.sent.at(-1)).toMatchObject({ task: 'a', cursor: 3, series: ['loss'], ema: 10, ma: 5 })
  })

  it('appends what comes live, without fetching anything', async () => {
    const fetched = server.windows.length
    server.log(2)
    server.log(1)
    expect(drawn()).toEqual(upTo(6))
    expect(session.rows.value[0]!.sequence).toBe(5)
    expect(session.latest('loss')!.step).toBe(10)
    expect(server.windows.length).toBe(fetched)
  })

  it('turns to review by itself when the run ends', () => {
    server.status = 'completed'
    server.log(1)
    expect(session.mode.value).toBe('review')
    expect(session.tasks.value.find((task) => task.id === 'a')!.status).toBe('completed')
  })

  it('takes the list of tasks in parts, and knows which are gone when it is whole', () => {
    expect(session.tasksKnown.value).toBe(false)
    const names = (): string[] => session.tasks.value.map(({ id }) => id)
    server.tells(['a', 'b'], true)
    expect(names()).toEqual(['a'])
    server.tells(['c'], false)
    expect(session.tasksKnown.value).toBe(true)
    expect(names()).toEqual(['a', 'b', 'c'])
    server.socket.close()
    vi.advanceTimersByTime(200)
    server.socket.open()
    server.tells(['a'], true)
    expect(names()).toEqual(['a', 'b', 'c'])
    server.tells(['c'], false)
    expect(names()).toEqual(['a', 'c'])
    expect(session.taskId.value).toBe('a')
  })

  it('keeps the newest rows only', () => {
    server.log(500)
    expect(session.rows.value.length).toBe(LIVE_ROWS)
    expect(session.rows.value[0]!.sequence).toBe(502)
    expect(session.rows.value.at(-1)!.sequence).toBe(503 - LIVE_ROWS)
  })

  it('joins what streams in while a window is fetched, whatever arrives first', async () => {
    let open = (): void => undefined
    server.gate = new Promise((resolve) => (open = resolve))
    session.settings.ema.span = 10.5 // any change of the smoothing fetches the window anew
    await settle()
    const before = drawn()
    server.log(2) // sent after the window was answered, received before its answer
    expect(drawn().length).toBeGreaterThanOrEqual(before.length) // the old picture stays
    open()
    await settle()
    expect(drawn()).toEqual(upTo(5))
  })

  it('shows raw lines where there is no picture yet and the smoothed ones take long', async () => {
    let open = (): void => {}
    server.smoothing = new Promise((resolve) => (open = resolve))
    session.want('grad_norm')
    await settle()
    await settle()
    expect(server.windows.slice(-2).map(({ ema, ma }) => [ema, ma])).toEqual([
      [10, 5],
      [0, 0],
    ])
    expect(drawn('grad_norm')).toEqual(upTo(3))
    server.records = 4
    open()
    await settle()
    expect(drawn('grad_norm')).toEqual(upTo(3)) // what the smoothed window had when it was asked for
    const fetched = server.windows.length
    server.log(1, 3)
    expect(drawn()).toEqual(upTo(5))
    expect(server.windows.length).toBe(fetched)
  })

  it('catches up without a gap or a double after the connection was lost', async () => {
    server.socket.close()
    expect(session.connection.value).toBe('lost')
    expect(drawn()).toEqual(upTo(3))
    server.records = 8
    await vi.advanceTimersByTimeAsync(200)
    server.socket.open()
    expect(session.connection.value).toBe('open')
    const { cursor } = server.socket.sent.at(-1)!
    expect(cursor).toBe(3)
    server.log(0, cursor)
    expect(drawn()).toEqual(upTo(8))
    expect(session.rows.value.map((row) => row.sequence)).toEqual(upTo(8).reverse())
  })

  it('waits longer each time the connection fails', async () => {
    server.socket.close()
    for (let failure = 0; failure < 4; failure++) {
      await vi.advanceTimersByTimeAsync(100 * 2 ** failure * 1.25)
      expect(server.sockets.length).toBe(failure + 2)
      server.socket.close()
    }
  })

  it('fetches anew when it is told that it fell behind', async () => {
    server.records = 9000
    server.socket.says({ type: 'behind', task: 'a' })
    await settle()
    expect(session.detail.value!.cursor).toBe(9000)
    expect(session.frames.value.get('loss')!.cursor).toBe(9000)
    expect(server.socket.sent.at(-1)!.cursor).toBe(9000)
  })

  it('fetches the window anew when much has been appended to a full one', async () => {
    server.log(4000)
    const fetched = server.windows.length
    server.log(1100)
    await settle()
    expect(server.windows.length).toBe(fetched + 1)
    expect(drawn().length).toBe(server.records)
  })

  it('ignores what comes late about the task looked at before', async () => {
    session.select('b')
    await settle()
    server.log(5)
    expect(session.detail.value!.task.id).toBe('b')
    expect(drawn()).toEqual(upTo(3))
  })

  it('shows a task again at once, as it was left', async () => {
    session.view.setZoom({ first: 1, last: 2 })
    session.select('b')
    await settle()
    expect(session.view.zoom.value).toBeNull()
    session.select('a')
    expect(session.detail.value!.task.id).toBe('a')
    expect(drawn()).toEqual([0, 1, 2])
    expect(session.view.zoom.value).toEqual({ first: 1, last: 2 })
  })

  it('fetches only what is wanted, in one request, and subscribes to it', async () => {
    const release = session.want('grad_norm')
    session.want('reward')
    await settle()
    expect(server.windows.at(-1)!.series).toEqual(['grad_norm', 'reward'])
    expect(server.socket.sent.at(-1)!.series).toEqual(['loss', 'grad_norm', 'reward'])
    release()
    await settle()
    expect(server.socket.sent.at(-1)!.series).toEqual(['loss', 'reward'])
  })

  it('keeps a series that is wanted again while the others of the task shown again are fetched', async () => {
    const release = session.want('grad_norm')
    await settle()
    release()
    session.select('b')
    await settle()
    session.select('a')
    session.want('grad_norm')
    await settle()
    expect(drawn('grad_norm')).toEqual([0, 1, 2])
  })

  it('keeps the settings in the store, what changed only, and once', async () => {
    session.settings.theme = 'dark'
    session.settings.ma.on = false
    session.settings.ma.on = true
    await vi.advanceTimersByTimeAsync(600)
    expect(server.saved).toMatchObject({ theme: 'dark' })
    expect(Object.keys(server.saved)).not.toContain('ma')
  })

  it('says what failed, keeps the picture, and tries again on wish', async () => {
    const api = server.api()
    const failing: Api = { ...api, opening: () => Promise.reject(new Error('boom')) }
    session.stop()
    session = createSession({ api: failing, connect: server.connect })
    await session.start()
    await settle()
    expect(session.error.value?.code).toBe('page_failed')
    failing.opening = api.opening
    session.retry()
    await settle()
    expect(session.error.value).toBeNull()
    expect(session.detail.value!.task.id).toBe('a')
  })
})

describe('after a restart', () => {
  it('the page asks to be let in before each try, and catches up when it is', async () => {
    const answers = [false, false, true]
    session.stop()
    session = createSession({
      api: server.api(),
      connect: server.connect,
      patienceMs: 100,
      returning: { prepare: async () => undefined, comeBack: async () => answers.shift() ?? true },
    })
    await session.start()
    session.want('loss')
    await settle()
    server.socket.open()
    await settle()
    const sockets = server.sockets.length
    server.socket.close()
    await vi.advanceTimersByTimeAsync(250)
    expect(server.sockets.length).toBe(sockets)
    await vi.advanceTimersByTimeAsync(1500)
    expect(server.sockets.length).toBe(sockets + 1)
    server.socket.open()
    server.log(2)
    expect(session.connection.value).toBe('open')
    expect(drawn()).toEqual(upTo(5))
  })
})

describe('zooming', () => {
  /** Windows of more records than this come in buckets of sixteen. */
  function thinnedAbove(records: number): void {
    server.bytes = function (this: Server, from, to, series, task) {
      return Server.prototype.bytes.call(this, from, to, series, task, to - from > records ? 16 : 1)
    }
  }

  it('shows what is there at once and fetches three spans of a thinned window', async () => {
    server.records = 10_000
    thinnedAbove(4000)
    session.retry()
    await settle()
    session.view.setZoom({ first: 4000, last: 5000 })
    await settle()
    expect(server.windows.at(-1)).toMatchObject({ first: 3000, last: 6001, points: 12_000 })
    expect(drawn()[0]).toBe(3000)
    server.log(5)
    expect(drawn().at(-1)).toBe(6000)
    session.view.back()
    await settle()
    expect(drawn().at(-1)).toBe(10_004)
  })

  it('asks for all raw points where those in view fit, else for as many as are drawn', async () => {
    server.records = 20_000
    thinnedAbove(12_000)
    session.retry()
    await settle()
    session.view.setZoom({ first: 6000, last: 9999 })
    await settle()
    expect(server.windows.at(-1)).toMatchObject({ first: 2001, last: 13_999, points: 12_000 })
    expect(drawn()).toHaveLength(11_998)
    session.view.setZoom({ first: 12_000, last: 16_000 })
    await settle()
    expect(server.windows.at(-1)).toMatchObject({ first: 8000, last: 20_001, points: 4000 })
  })

  it('does not fetch a raw window anew at each record that comes live', async () => {
    server.records = 10_000
    server.bytes = function (this: Server, from, to, series, task) {
      const whole = from === 0
      return Server.prototype.bytes.call(this, from, whole ? 3000 : to, series, task, whole ? 16 : 1)
    }
    session.retry()
    await settle()
    session.view.setZoom({ first: 6000, last: 9999 })
    await settle()
    expect(drawn()).toHaveLength(7999)
    const fetched = server.windows.length
    server.log(5)
    await settle()
    expect(server.windows).toHaveLength(fetched)
    expect(drawn().at(-1)).toBe(10_004)
  })

  it('fetches nothing where every raw point is there', async () => {
    const fetched = server.windows.length
    const shown = session.frames.value
    session.view.setZoom({ first: 0, last: 1 })
    await settle()
    expect(server.windows.length).toBe(fetched)
    expect(session.frames.value).toBe(shown) // what hangs on the points alone is left alone
  })

  it('lets go of following and comes back to it', () => {
    session.view.setZoom({ first: 0, last: 1 })
    expect(session.view.follow.value).toBe(false)
    session.view.followAgain()
    expect(session.view.follow.value).toBe(true)
    expect(session.view.zoom.value).toBeNull()
  })
})
