/** A server in memory, for tests of the session. */
import type { Facts, LogRow, Subscribe, Task, TaskDetail } from '../wire'
import type { Api, WindowQuery } from './api'
import { decodeFrame, type Frame } from './frame'
import { writeFrame, writtenRun } from './frame-writing'
import type { Socket } from './live'

/** Tasks with one run of loss, one record a sequence, told over routes and a socket. */
export class Server {
  records = 3
  status: Task['status'] = 'running'
  windows: WindowQuery[] = []
  sockets: FakeSocket[] = []
  saved: Record<string, unknown> = {}
  /** Answers to windows wait for this. */
  gate: Promise<void> = Promise.resolve()
  /** Answers to smoothed windows wait for this too. */
  smoothing: Promise<void> = Promise.resolve()

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

  newestRows(): LogRow[] {
    return this.rows(Math.max(0, this.records - 200), this.records).reverse()
  }

  bytes(from: number, to: number, series = ['loss'], task = 'a', bucket = 1): ArrayBuffer {
    const points = Array.from({ length: to - from }, (_, at) => 10 - (from + at) / 100)
    const lines = Object.fromEntries(series.map((name) => [name, [writtenRun(1, from, points)]]))
    return writeFrame({ task, from, to, cursor: this.records, bucket, series: lines })
  }

  api(): Api {
    return {
      opening: async () => ({
        settings: { ...this.saved },
        tasks: 2,
        detail: this.detail(),
        rows: this.newestRows(),
      }),
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
        if (query.ema || query.ma) await this.smoothing
        if (signal?.aborted) throw new DOMException('taken back', 'AbortError')
        return decodeFrame(answer)
      },
      system: () => Promise.reject(new Error('not asked')),
      log: async () => ({
        rows: this.newestRows(),
        total: this.records,
      }),
      edit: async (id) => this.task(id),
      runEnd: async () => ({ traceback: null, standard_error: null }),
      command: async () => ({ id: '1' }),
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

  /** A part of the list of tasks. */
  tells(ids: readonly string[], more: boolean): void {
    this.socket.says({ type: 'tasks', tasks: ids.map((id) => this.task(id)), removed: [], more })
  }

  /** Logs records and tells of them, from the cursor that was subscribed. */
  log(count: number, from = this.records): void {
    this.records += count
    const facts: Facts = { type: 'facts', detail: this.detail(), rows: this.rows(from, this.records) }
    this.socket.says(facts)
    this.socket.saysBytes(this.bytes(from, this.records))
  }
}

export class FakeSocket implements Socket {
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
