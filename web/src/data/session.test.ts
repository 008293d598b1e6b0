import { nextTick } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Facts, LogRow, Subscribe, Task, TaskDetail } from '../wire'
import type { Api, WindowQuery } from './api'
import { decodeFrame, type Frame } from './frame'
import { writeFrame, writtenRun } from './frame-writing'
import type { Socket } from './live'
import { createSession, LIVE_ROWS, type Session } from './session'

/** A server in memory: tasks with one run of loss, one record a sequence, told over routes and a socket. */
class Server {
  records = 3
  status: Task['status'] = 'running'
  windows: WindowQuery[] = []
  sockets: FakeSocket[] = []
  saved: Record<string, unknown> = {}
  /** Answers to windows wait for this. */
  gate: Promise<void> = Promise.resolve()

  task(id = 'a'): Task {
    return {
      id,
      name: id,
      status: id === 'a' ? this.status : 'completed',
      runs: 1,
      records: this.records,
      step: this.records,
      total_steps: 100,
      started: id === 'a' ? 2 : 1,
      updated: 1,
      duration_secs: 1,
      last_loss: 1,
      best_loss: 1,
      best_evaluation: null,
      bytes: 1,
      tags: [],
      notes: '',
    }
  }

  detail(id = 'a'): TaskDetail {
    return {
      task: this.task(id),
      runs: [],
      metrics: [],
      system: [],
      checkpoints: [],
      findings: [],
      progress: null,
      remaining_secs: null,
      logging_steps: 1,
      mean_speed: null,
      cursor: this.records,
    }
  }

  row(sequence: number): LogRow {
    return {
      sequence,
      run: 1,
      step: sequence,
      epoch: null,
      time: 1,
      kind: 'step',
      metrics: {},
      message: null,
      status: null,
      masked: false,
    }
  }

  rows(from: number, to: number): LogRow[] {
    return Array.from({ length: to - from }, (_, at) => this.row(from + at))
  }

  bytes(from: number, to: number, series = ['loss'], task = 'a', bucket = 1): ArrayBuffer {
    const points = Array.from({ length: to - from }, (_, at) => 10 - (from + at) / 100)
    const lines = Object.fromEntries(series.map((name) => [name, [writtenRun(1, from, points)]]))
    return writeFrame({ task, from, to, cursor: this.records, bucket, series: lines })
  }

  api(): Api {
    return {
      tasks: async () => [this.task('a'), this.task('b')],
      detail: async (id) => this.detail(id),
      frame: async (task, query, signal): Promise<Frame> => {
        this.windows.push(query)
        const answer = this.bytes(
          query.first ?? 0,
          Math.min(query.last ?? Infinity, this.records),
          [...query.series],
          task,
        )
        await this.gate
        if (signal?.aborted) throw new DOMException('taken back', 'AbortError')
        return decodeFrame(answer)
      },
      system: () => Promise.reject(new Error('not asked')),
      log: async () => ({
        rows: this.rows(Math.max(0, this.records - 200), this.records).reverse(),
        total: this.records,
      }),
      edit: async (id) => this.task(id),
      command: async () => ({ id: '1' }),
      settings: async () => ({ ...this.saved }),
      saveSettings: async (changed) => void Object.assign(this.saved, changed),
      trash: async () => ({ tasks: [], kept_days: 30 }),
      moveTasks: async () => ({ tasks: [], kept_days: 30 }),
      demo: async () => ({ kind: 'recorded' }),
      beginning: () => Promise.reject(new Error('not asked')),
      exportAddress: () => '',
      takeIn: async () => ({ tasks: [], imported: [] }),
      about: async () => ({
        version: '1',
        home: '',
        database: '',
        database_moved: false,
        writer: true,
        notes: [],
        watched: [],
        kernels: 'ready',
      }),
    }
  }

  connect = (): Socket => {
    const socket = new FakeSocket()
    this.sockets.push(socket)
    return socket
  }

  get socket(): FakeSocket {
    return this.sockets.at(-1)!
  }

  /** Logs records and tells of them, from the cursor that was subscribed. */
  log(count: number, from = this.records): void {
    this.records += count
    const facts: Facts = { type: 'facts', detail: this.detail(), rows: this.rows(from, this.records) }
    this.socket.says(facts)
    this.socket.saysBytes(this.bytes(from, this.records))
  }
}

class FakeSocket implements Socket {
  binaryType: BinaryType = 'blob'
  readyState = 0
  onopen: ((event: Event) => void) | null = null
  onmessage: ((event: MessageEvent) => void) | null = null
  onclose: ((event: CloseEvent) => void) | null = null
  sent: Subscribe[] = []

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Subscribe)
  }
  close(): void {
    this.readyState = 3
    this.onclose?.(new CloseEvent('close'))
  }
  open(): void {
    this.readyState = 1
    this.onopen?.(new Event('open'))
  }
  says(message: object): void {
    this.onmessage?.(new MessageEvent('message', { data: JSON.stringify(message) }))
  }
  saysBytes(data: ArrayBuffer): void {
    this.onmessage?.(new MessageEvent('message', { data }))
  }
}

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
  session = createSession({ api: server.api(), connect: server.connect, patienceMs: 100 })
  session.want('loss')
  await session.start()
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
    session.want('learning_rate')
    await settle()
    expect(server.windows.at(-1)!.series).toEqual(['grad_norm', 'learning_rate'])
    expect(server.socket.sent.at(-1)!.series).toEqual(['loss', 'grad_norm', 'learning_rate'])
    release()
    await settle()
    expect(server.socket.sent.at(-1)!.series).toEqual(['loss', 'learning_rate'])
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
    const failing: Api = { ...api, detail: () => Promise.reject(new Error('boom')) }
    session.stop()
    session = createSession({ api: failing, connect: server.connect })
    await session.start()
    await settle()
    expect(session.error.value?.code).toBe('page_failed')
    failing.detail = async (id: string) => server.detail(id)
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
  it('shows what is there at once and fetches three spans of a thinned window', async () => {
    server.records = 10_000
    server.bytes = function (this: Server, from, to, series, task) {
      return Server.prototype.bytes.call(this, from, to, series, task, to - from > 4000 ? 16 : 1)
    }
    session.retry()
    await settle()
    session.view.setZoom({ first: 4000, last: 5000 })
    await settle()
    expect(server.windows.at(-1)).toMatchObject({ first: 3000, last: 6001 })
    expect(drawn()[0]).toBe(3000)
    server.log(5)
    expect(drawn().at(-1)).toBe(6000)
    session.view.back()
    await settle()
    expect(drawn().at(-1)).toBe(10_004)
  })

  it('fetches nothing where every raw point is there', async () => {
    const fetched = server.windows.length
    session.view.setZoom({ first: 0, last: 1 })
    await settle()
    expect(server.windows.length).toBe(fetched)
  })

  it('lets go of following and comes back to it', () => {
    session.view.setZoom({ first: 0, last: 1 })
    expect(session.view.follow.value).toBe(false)
    session.view.followAgain()
    expect(session.view.follow.value).toBe(true)
    expect(session.view.zoom.value).toBeNull()
  })
})
