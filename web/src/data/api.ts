/**
 * The server's routes as functions. Every failure is a RequestFailed with the one error shape; a request that was taken
 * back by its AbortSignal fails as the browser says it (see `isAborted`) and is nobody's error.
 */
import type {
  About,
  Axis,
  Beginning,
  Command,
  CommandGiven,
  DemoBegun,
  ErrorAnswer,
  ErrorBody,
  Kind,
  LogPage,
  Opening,
  RunEnd,
  TakenIn,
  Task,
  TaskDetail,
  TaskEdit,
  Trash,
} from '../wire'
import { decodeFrame, FrameError, type Frame } from './frame'
import type { Span } from './view'

export class RequestFailed extends Error {
  constructor(
    readonly body: ErrorBody,
    /** 0: no answer came at all. */
    readonly status: number,
  ) {
    super(body.what)
  }
}

export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

/** What a person is told about anything that went wrong. */
export function errorBody(error: unknown): ErrorBody {
  if (error instanceof RequestFailed) return error.body
  if (error instanceof FrameError) {
    return {
      code: 'frame_unreadable',
      what: 'The curves could not be read.',
      why: error.message,
      action: 'Reload the page; it may be older than the program that answers it.',
      lost: null,
    }
  }
  return {
    code: 'page_failed',
    what: 'The page met something that it does not know.',
    why: error instanceof Error ? error.message : String(error),
    action: 'Reload the page.',
    lost: null,
  }
}

export interface WindowQuery {
  series: readonly string[]
  /** Sequences; `last` is not included. Absent: from the beginning, to the end. */
  first?: number
  last?: number
  points: number
  axis: Axis
  ema: number
  ma: number
}

export interface LogQuery {
  kinds?: readonly Kind[]
  search?: string
  /** First sequence. */
  first?: number
  limit?: number
  offset?: number
  newest?: boolean
}

export type ExportFormat = 'csv' | 'jsonl' | 'parquet' | 'tensorboard'
export type SettingValues = Record<string, unknown>

export interface Api {
  opening(): Promise<Opening>
  detail(task: string, signal?: AbortSignal): Promise<TaskDetail>
  frame(task: string, query: WindowQuery, signal?: AbortSignal): Promise<Frame>
  /** GPU and system figures by time; the span in Unix seconds, null for all there is. */
  system(task: string, names: readonly string[], span: Span | null, signal?: AbortSignal): Promise<Frame>
  log(task: string, query: LogQuery, signal?: AbortSignal): Promise<LogPage>
  runEnd(task: string, run: string): Promise<RunEnd>
  edit(task: string, edit: TaskEdit): Promise<Task>
  command(task: string, run: string, command: Command['command']): Promise<CommandGiven>
  saveSettings(changed: SettingValues): Promise<void>
  trash(): Promise<Trash>
  /** Into the trash, back from it, or removed for good; what lies there then. */
  moveTasks(where: 'trash' | 'back' | 'gone', tasks: readonly string[]): Promise<Trash>
  demo(): Promise<DemoBegun>
  /** Where every record of a task can be downloaded. */
  exportAddress(task: string, format: ExportFormat): string
  takeIn(paths: string[]): Promise<TakenIn>
  about(): Promise<About>
  beginning(): Promise<Beginning>
}

const MOVES = { trash: 'api/trash', back: 'api/trash/restore', gone: 'api/trash/remove' } as const

/** The server that the page came from; addresses are relative, so that a forwarded port or a path before us works. */
export function serverApi(fetcher: typeof fetch = (...request) => fetch(...request)): Api {
  async function answer(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response
    try {
      response = await fetcher(path, { credentials: 'same-origin', ...init })
    } catch (error) {
      if (isAborted(error)) throw error
      throw new RequestFailed(
        {
          code: 'unreachable',
          what: 'Stepline does not answer.',
          why: error instanceof Error ? error.message : String(error),
          action: 'Start Stepline again; the page goes on by itself as soon as it answers.',
          lost: null,
        },
        0,
      )
    }
    if (response.ok) return response
    throw new RequestFailed(await refusal(response), response.status)
  }

  async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await (await answer(path, { signal: signal ?? null })).json()) as T
  }

  async function send<T>(method: string, path: string, body: unknown): Promise<T> {
    const response = await answer(path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return (response.status === 204 ? null : await response.json()) as T
  }

  const taskPath = (task: string) => `api/tasks/${encodeURIComponent(task)}`

  return {
    opening: () => get('api/opening'),
    detail: (task, signal) => get(taskPath(task), signal),
    frame: async (task, query, signal) => {
      const search = new URLSearchParams(query.series.map((name) => ['series', name]))
      if (query.first !== undefined) search.set('first', String(query.first))
      if (query.last !== undefined) search.set('last', String(query.last))
      search.set('points', String(query.points))
      search.set('axis', query.axis)
      search.set('ema', String(query.ema))
      search.set('ma', String(query.ma))
      const response = await answer(`${taskPath(task)}/frame?${search}`, { signal: signal ?? null })
      return decodeFrame(await response.arrayBuffer())
    },
    system: async (task, names, span, signal) => {
      const search = new URLSearchParams(names.map((name) => ['series', name]))
      if (span) search.set('first', String(span.first))
      if (span) search.set('last', String(span.last))
      const response = await answer(`${taskPath(task)}/system?${search}`, { signal: signal ?? null })
      return decodeFrame(await response.arrayBuffer())
    },
    log: (task, query, signal) => {
      const search = new URLSearchParams((query.kinds ?? []).map((kind) => ['kind', kind]))
      if (query.search) search.set('search', query.search)
      if (query.first !== undefined) search.set('first', String(query.first))
      if (query.limit !== undefined) search.set('limit', String(query.limit))
      if (query.offset) search.set('offset', String(query.offset))
      if (query.newest) search.set('newest', '1')
      return get(`${taskPath(task)}/log?${search}`, signal)
    },
    runEnd: (task, run) => get(`${taskPath(task)}/runs/${encodeURIComponent(run)}/end`),
    edit: (task, edit) => send('PATCH', taskPath(task), edit),
    command: (task, run, command) =>
      send('POST', `${taskPath(task)}/runs/${encodeURIComponent(run)}/commands`, { command }),
    saveSettings: (changed) => send('PUT', 'api/settings', changed),
    trash: () => get('api/trash'),
    moveTasks: (where, tasks) => send('POST', MOVES[where], { tasks }),
    demo: () => send('POST', 'api/demo', {}),
    exportAddress: (task, format) => `${taskPath(task)}/export?format=${format}`,
    takeIn: (paths) => send('POST', 'api/take-in', { paths }),
    about: () => get('api/about'),
    beginning: () => get('api/beginning'),
  }
}

export async function refusal(response: Response): Promise<ErrorBody> {
  try {
    const { error } = (await response.json()) as ErrorAnswer
    if (typeof error.code === 'string') return error
  } catch {
    // Not our own answer: a proxy's page, or a body cut short.
  }
  return {
    code: 'answer_unreadable',
    what: 'Stepline answered with something that the page cannot read.',
    why: `${response.status} ${response.statusText}`.trim(),
    action: 'Reload the page.',
    lost: null,
  }
}
