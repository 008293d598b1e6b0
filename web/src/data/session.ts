/**
 * All the state that the page shares, in one place.
 *
 * It holds the tasks, the selected one with its facts and newest log rows, the charts' windows and view, and the person's
 * settings; it keeps all of it true over the live socket. Components read it and call its functions; they hold no copies.
 *
 * Joining: facts and windows are fetched with a cursor, the socket is subscribed at the least of these cursors, and what comes
 * twice is passed over. So nothing is missed and nothing doubled, whatever arrives first.
 */
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import type {
  Command,
  ErrorBody,
  Facts,
  LogPage,
  LogRow,
  Opening,
  RunEnd,
  ServerMessage,
  Subscribe,
  Task,
  TaskDetail,
  TaskEdit,
} from '../wire'
import { errorBody, isAborted, serverApi, type Api, type LogQuery } from './api'
import type { Frame } from './frame'
import { preferredLanguage, type Language } from './language'
import { METRIC_ORDER, STRIP_METRICS } from './metrics'
import { openLive, serverSocket, type Connection, type Socket } from './live'
import { keepReturning, type Returning } from './returning'
import { keepSettings, type Settings } from './settings'
import { keepTasks } from './task-list'
import { latestOf, type Latest } from './trend'
import { keepView, type Span, type View } from './view'
import { keepWindows, type Windows } from './windows'

/** Newest log rows that are kept while a task is watched live. */
export const LIVE_ROWS = 200

const LIVE: readonly string[] = ['pending', 'running', 'stopping']

export interface Session {
  /** Newest first. */
  tasks: ShallowRef<Task[]>
  /** False until the whole list has come for the first time. */
  tasksKnown: Ref<boolean>
  taskId: Ref<string | null>
  detail: ShallowRef<TaskDetail | null>
  mode: ComputedRef<'live' | 'review'>
  connection: Ref<Connection>
  loading: Ref<boolean>
  error: Ref<ErrorBody | null>
  /** The newest rows of the log, newest first, at most LIVE_ROWS. */
  rows: ShallowRef<LogRow[]>
  settings: Settings
  language: ComputedRef<Language>
  theme: ComputedRef<'light' | 'dark'>
  view: View
  /** What the charts draw, by metric; triggered whenever something was appended. */
  frames: Windows['frames']
  overview: Windows['overview']
  /** Keeps a metric's points fetched and live until the returned function is called. */
  want(metric: string): () => void
  /** Newest value of a metric and where it is going; reactive. The metric has to be wanted by someone. */
  latest(metric: string): Latest | null
  select(id: string): void
  /** Selects a task that has just come, whether or not the socket has told of it. */
  bring(id: string): Promise<void>
  fetchLog(query: LogQuery, signal?: AbortSignal): Promise<LogPage>
  /** GPU and system figures of the selected task; the span in Unix seconds, null for all there is. */
  fetchSystem(names: readonly string[], span: Span | null, signal?: AbortSignal): Promise<Frame>
  patchTask(id: string, edit: TaskEdit): Promise<void>
  command(runId: string, name: Command['command']): Promise<void>
  /** What the end of a run of the shown task tells: its traceback, or the last of its standard error. */
  runEnd(runId: string): Promise<RunEnd>
  /** Fetches the selected task again, after a failure. */
  retry(): void
  start(): Promise<void>
  stop(): void
}

export interface SessionOptions {
  api: Api
  connect: () => Socket
  /** The browser's languages and whether it asks for dark. */
  languages?: readonly string[]
  prefersDark?: Ref<boolean>
  /** How the page is let in again after a restart. */
  returning?: Returning
  patienceMs?: number
  settleMs?: number
  long?: number
}

export function createSession(options: SessionOptions): Session {
  const { api } = options
  const { tasks, known: tasksKnown, ...list } = keepTasks(tasksChanged)
  const taskId = ref<string | null>(null)
  const detail = shallowRef<TaskDetail | null>(null)
  const loading = ref(false)
  const error = ref<ErrorBody | null>(null)
  const rows = shallowRef<LogRow[]>([])
  const prefersDark = options.prefersDark ?? ref(false)
  /** What was seen of the tasks looked at before: shown at once on coming back, and fetched anew behind it. */
  const seen = new Map<string, { detail: TaskDetail; rows: LogRow[] }>()
  let rowsCursor = 0
  let subscribedAt = 0
  let ready = false
  let request: AbortController | null = null

  const {
    settings,
    take: takeSettings,
    flush,
  } = keepSettings((changed) => {
    api.saveSettings(changed).catch(report)
  })
  const view = keepView()
  const windows = keepWindows({
    api,
    onError: (failure) => {
      report(failure)
      live.start()
    },
    onLoaded: () => {
      error.value = null
      live.start()
      if ((windows.cursor() ?? subscribedAt) < subscribedAt) live.subscribe()
    },
    onWantedChange: () => live.subscribe(),
    ...(options.settleMs === undefined ? {} : { settleMs: options.settleMs }),
    ...(options.long === undefined ? {} : { long: options.long }),
  })
  const live = openLive({
    connect: options.connect,
    subscription,
    onMessage: receive,
    onFrame: (frame) => windows.take(frame),
    onOpen: () => {
      list.expectAll()
      void options.returning?.prepare()
      if (error.value !== null || (taskId.value !== null && !ready)) retry()
    },
    ...(options.returning === undefined ? {} : { comeBack: () => options.returning!.comeBack() }),
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
  })

  function report(failure: unknown): void {
    if (!isAborted(failure)) error.value = errorBody(failure)
  }

  const ema = () => (settings.ema.on ? settings.ema.span : 0)
  const ma = () => (settings.ma.on ? settings.ma.span : 0)

  function subscription(): Subscribe {
    const task = ready ? taskId.value : null
    subscribedAt = Math.min(rowsCursor, windows.cursor() ?? rowsCursor)
    return { type: 'subscribe', task, cursor: subscribedAt, series: windows.wanted(), ema: ema(), ma: ma() }
  }

  function receive(message: ServerMessage): void {
    switch (message.type) {
      case 'tasks':
        list.receive(message)
        break
      case 'facts':
        takeFacts(message)
        break
      case 'behind':
        if (message.task === taskId.value) retry()
        break
      case 'trouble':
        if (message.task === null || message.task === taskId.value) error.value = message.error
        break
      case 'hello':
        break
    }
  }

  function tasksChanged(removed: readonly string[]): void {
    for (const id of removed) seen.delete(id)
    if (taskId.value === null || removed.includes(taskId.value)) selectFirst()
  }

  function selectFirst(): void {
    const remembered = tasks.value.find((task) => task.id === settings.task)
    const training = tasks.value.find((task) => task.status !== 'pending' && LIVE.includes(task.status))
    const first = remembered ?? training ?? tasks.value.find((task) => LIVE.includes(task.status)) ?? tasks.value[0]
    if (first) select(first.id)
    else {
      taskId.value = null
      detail.value = null
      rows.value = []
    }
  }

  function takeFacts(facts: Facts): void {
    if (facts.detail.task.id !== taskId.value) return
    detail.value = facts.detail
    takeRows(facts.rows)
    list.take([facts.detail.task], [])
    seen.set(facts.detail.task.id, { detail: facts.detail, rows: rows.value })
  }

  /** Joins rows by their sequence, whatever their order and overlap. */
  function takeRows(coming: readonly LogRow[]): void {
    const fresh = coming.filter((row) => row.sequence >= rowsCursor).sort((a, b) => b.sequence - a.sequence)
    if (fresh.length === 0) return
    rows.value = [...fresh, ...rows.value].slice(0, LIVE_ROWS)
    rowsCursor = fresh[0]!.sequence + 1
  }

  async function load(id: string, again: boolean): Promise<void> {
    request?.abort()
    const mine = new AbortController()
    request = mine
    loading.value = true
    ready = false
    try {
      const [facts, page] = await Promise.all([
        api.detail(id, mine.signal),
        api.log(id, { newest: true, limit: LIVE_ROWS }, mine.signal),
      ])
      if (request !== mine) return
      takeLoaded(facts, page.rows)
      if (again) windows.refetch()
      live.subscribe()
    } catch (failure) {
      if (request === mine) report(failure)
    } finally {
      if (request === mine) loading.value = false
    }
  }

  function takeLoaded(facts: TaskDetail, newest: readonly LogRow[]): void {
    detail.value = facts
    rows.value = [...newest].sort((a, b) => b.sequence - a.sequence)
    rowsCursor = (rows.value[0]?.sequence ?? -1) + 1
    seen.set(facts.task.id, { detail: facts, rows: rows.value })
    error.value = null
    ready = true
    showWindows()
  }

  function takeOpening(opening: Opening): void {
    takeSettings(opening.settings)
    tasksKnown.value ||= opening.tasks === 0
    if (opening.detail === null) return
    const { task } = opening.detail
    taskId.value = task.id
    settings.task = task.id
    view.show(`${task.id} ${settings.axis}`)
    list.take([task], [])
    // Asked for now, the points travel while the components are made, which takes as long; then those hold them.
    const first = [...STRIP_METRICS, ...(settings.othersOpen ? METRIC_ORDER : [])]
    const releases = first.map((name) => windows.want(name))
    setTimeout(() => releases.forEach((release) => release()))
    takeLoaded(opening.detail, opening.rows)
  }

  function showWindows(): void {
    windows.show(
      {
        task: taskId.value,
        axis: settings.axis,
        ema: ema(),
        ma: ma(),
        range: settings.range,
        zoom: view.zoom.value,
      },
      detail.value?.cursor ?? 0,
    )
  }

  function select(id: string): void {
    if (id === taskId.value && detail.value !== null) return
    taskId.value = id
    settings.task = id
    error.value = null
    const known = seen.get(id)
    detail.value = known?.detail ?? null
    rows.value = known?.rows ?? []
    rowsCursor = (rows.value[0]?.sequence ?? -1) + 1
    view.show(`${id} ${settings.axis}`)
    void load(id, false)
    if (known) showWindows()
  }

  function retry(): void {
    if (taskId.value === null) {
      api.opening().then(takeOpening, report)
      return
    }
    void load(taskId.value, true)
  }

  const stops = [
    watch(
      () => [settings.ema.on, settings.ema.span, settings.ma.on, settings.ma.span, settings.range] as const,
      () => {
        live.subscribe()
        showWindows()
      },
    ),
    watch(
      () => settings.axis,
      (axis) => {
        view.show(`${taskId.value ?? ''} ${axis}`)
        showWindows()
      },
    ),
    watch(view.zoom, showWindows),
  ]

  return {
    tasks,
    tasksKnown,
    taskId,
    detail,
    mode: computed(() => (detail.value && LIVE.includes(detail.value.task.status) ? 'live' : 'review')),
    connection: live.connection,
    loading,
    error,
    rows,
    settings,
    language: computed(() => settings.language ?? preferredLanguage(options.languages ?? [])),
    theme: computed(() => (settings.theme === 'system' ? (prefersDark.value ? 'dark' : 'light') : settings.theme)),
    view,
    frames: windows.frames,
    overview: windows.overview,
    want: (metric) => windows.want(metric),
    latest: (metric) => latestOf(windows.overview.value.get(metric)),
    select,
    async bring(id) {
      list.take([(await api.detail(id)).task], [])
      // Known from before, it may have grown: fetched anew.
      if (id === taskId.value) retry()
      else select(id)
    },
    fetchLog: (query, signal) => {
      if (taskId.value === null) return Promise.resolve({ rows: [], total: 0 })
      return api.log(taskId.value, query, signal)
    },
    fetchSystem: (names, span, signal) => api.system(taskId.value ?? '', names, span, signal),
    async patchTask(id, edit) {
      list.take([await api.edit(id, edit)], [])
    },
    runEnd: (runId) => api.runEnd(taskId.value ?? '', runId),
    async command(runId, name) {
      if (taskId.value !== null) await api.command(taskId.value, runId, name)
    },
    retry,
    async start() {
      try {
        takeOpening(await api.opening())
      } catch (failure) {
        report(failure)
      }
      // Else with the first window, so that thousands of tasks do not come between it and the picture.
      if (detail.value === null) live.start()
    },
    stop() {
      flush()
      stops.forEach((end) => end())
      request?.abort()
      windows.stop()
      live.stop()
    },
  }
}

let shared: Session | null = null

/** The one session of this page. */
export function useSession(): Session {
  if (shared === null) {
    const dark = window.matchMedia('(prefers-color-scheme: dark)')
    const prefersDark = ref(dark.matches)
    dark.addEventListener('change', (event) => (prefersDark.value = event.matches))
    shared = createSession({
      api: serverApi(),
      connect: serverSocket,
      returning: keepReturning(),
      languages: navigator.languages,
      prefersDark,
    })
    window.addEventListener('pagehide', () => shared?.stop())
  }
  return shared
}
