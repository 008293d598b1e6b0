/** The whole page over a made server: what a person sees and can do, without a browser's canvas. */
import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import App from './App.vue'
import { useSession } from './data/session'
import { applyLanguage, i18n } from './i18n'
import type { Beginning, LogRow, Task, TaskDetail } from './wire'

const task: Task = {
  id: 'tiny',
  name: 'tiny-gpt',
  status: 'running',
  runs: 1,
  records: 3,
  step: 1240,
  total_steps: 10000,
  started: 1,
  updated: 2,
  duration_secs: 60,
  last_loss: 2.314,
  best_loss: 2.3,
  best_evaluation: null,
  bytes: 4096,
  tags: ['baseline'],
  notes: '',
}

const detail: TaskDetail = {
  task,
  runs: [
    {
      id: 'r1',
      number: 1,
      status: 'running',
      records: 3,
      first_sequence: 0,
      last_sequence: 2,
      first_step: 10,
      last_step: 1240,
      total_steps: 10000,
      started: 1,
      ended: null,
      message: null,
      changes: [],
      unresponsive: false,
      controls: ['stop', 'save'],
      controls_at: 'step',
      phase: null,
      no_controls: null,
    },
  ],
  metrics: [
    { name: 'loss', kind: 'number', count: 2, last: 2.314, step: 1240 },
    { name: 'grad_norm', kind: 'number', count: 2, last: 0.309, step: 1240 },
    { name: 'samples_per_second', kind: 'number', count: 2, last: 412.2, step: 1240 },
  ],
  system: [],
  checkpoints: [],
  findings: [],
  progress: 0.124,
  remaining_secs: [2460, 2760],
  mean_speed: null,
  logging_steps: 10,
  cursor: 3,
}

const row = (part: Partial<LogRow>): LogRow => ({
  sequence: 0,
  run: 1,
  step: 10,
  epoch: null,
  time: 1,
  kind: 'step',
  metrics: {},
  message: null,
  status: null,
  masked: false,
  ...part,
})
const rows = [
  row({ sequence: 2, step: 1240, metrics: { loss: 'NaN' } }),
  row({ sequence: 1, kind: 'evaluation', metrics: { eval_loss: 2.5 } }),
  row({ sequence: 0, step: null, kind: 'train_start' }),
]

/** The socket of the page; a test speaks for the server through it. */
class MadeSocket {
  static newest: MadeSocket | null = null
  readyState = 1
  onopen: (() => void) | null = null
  onmessage: ((event: MessageEvent) => void) | null = null
  constructor() {
    MadeSocket.newest = this
  }
  says(message: object): void {
    this.onmessage!(new MessageEvent('message', { data: JSON.stringify(message) }))
  }
  send(): void {
    // What the page subscribes to is the session's business.
  }
  close(): void {
    this.readyState = 3
  }
}

const done: Task = { ...task, id: 'done', name: '翻译 7B', status: 'completed', step: 10000, best_evaluation: 2.2 }
const broken: Task = { ...task, id: 'broken', name: 'broken', status: 'failed' }
const details: Record<string, TaskDetail> = {
  tiny: detail,
  done: { ...detail, task: done, progress: 1, remaining_secs: null },
  broken: {
    ...detail,
    task: broken,
    runs: [{ ...detail.runs[0]!, status: 'failed', message: 'CUDA out of memory', controls: [] }],
  },
}
const sent: { path: string; method: string; body: Record<string, unknown> }[] = []

async function answer(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const path = String(input)
  if (init?.method && init.method !== 'GET') {
    const body = JSON.parse(String(init.body)) as Record<string, unknown>
    sent.push({ path, method: init.method, body })
    if (init.method === 'PATCH') return Response.json({ ...task, ...body })
    return init.method === 'PUT' ? new Response(null, { status: 204 }) : Response.json({ id: 'c1' })
  }
  if (path === 'api/opening') {
    const settings = { language: 'en', theme: 'dark', task: 'tiny' }
    return Response.json({ settings, tasks: 3, detail, rows })
  }
  if (path === 'api/beginning') return Response.json(beginning)
  if (path === 'api/about') {
    return Response.json({
      version: '0.1.0',
      home: '/home/ann/stepline',
      writer: true,
      notes: [],
      database_moved: false,
      watched: [],
      kernels: 'ready',
    })
  }
  if (path.includes('/log?')) return Response.json({ rows, total: rows.length })
  const found = details[path.replace('api/tasks/', '')]
  if (found) return Response.json(found)
  const error = { code: 'series_not_found', what: 'w', why: 'y', action: 'a', lost: null }
  return Response.json({ error }, { status: 404 })
}

const beginning: Beginning = {
  command: 'stepline',
  wheel: '/usr/lib/stepline/recorder/r.whl',
  install: 'python -m pip install --no-index /usr/lib/stepline/recorder/r.whl',
  run: 'stepline run -- python train.py',
  environments: [
    {
      kind: 'conda',
      path: '/opt/conda/envs/llm',
      transformers: '5.23.0',
      stepline: null,
      install: '/opt/conda/envs/llm/bin/python -m pip install --no-index /usr/lib/stepline/recorder/r.whl',
      run: 'stepline run -- /opt/conda/envs/llm/bin/python train.py',
    },
  ],
}

let page: VueWrapper
const session = () => useSession()

/** Promises, then what the components put off to the next turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await flushPromises()
    await new Promise((resolve) => setTimeout(resolve))
  }
}

const seen = (name: string): string => document.querySelector(`[data-testid="${name}"]`)?.textContent?.trim() ?? ''
const posted = (method: string) => sent.filter((request) => request.method === method)

async function press(key: string, target: EventTarget = window): Promise<void> {
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
  await settle()
}

async function click(target: Element | null | undefined): Promise<void> {
  ;(target as HTMLElement).click()
  await settle()
}

async function show(id: string): Promise<void> {
  session().select(id)
  await settle()
}

// Mounting the whole page is slow on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 })

beforeAll(async () => {
  vi.stubGlobal('fetch', answer)
  vi.stubGlobal('WebSocket', MadeSocket)
  // happy-dom lays nothing out: without a height no virtual row would be in view.
  let owner = document.createElement('div') as object
  while (!Object.hasOwn(owner, 'clientHeight')) owner = Object.getPrototypeOf(owner) as object
  for (const side of ['clientWidth', 'clientHeight']) {
    Object.defineProperty(owner, side, { configurable: true, get: () => 600 })
  }
  await session().start()
  await settle()
  MadeSocket.newest!.onopen!()
  MadeSocket.newest!.says({ type: 'tasks', tasks: [task, done, broken], removed: [], more: false })
  applyLanguage('en')
  page = mount(App, { global: { plugins: [i18n], stubs: { VChart: true } }, attachTo: document.body })
  await settle()
})

beforeEach(async () => {
  sent.length = 0
  location.hash = '#/'
  await show('tiny')
})

afterAll(() => {
  page.unmount()
  session().stop()
  vi.unstubAllGlobals()
})

describe('a running task', () => {
  it('shows where it stands, in the manual’s parts', async () => {
    expect(seen('task-selector')).toContain('tiny-gpt')
    expect(seen('task-selector')).toContain('Running')
    expect(seen('strip-steps')).toContain('1,240')
    expect(seen('strip-steps')).toContain('10,000')
    expect(seen('strip-progress')).toContain('12.4')
    expect(seen('strip-remaining')).toContain('41–46')
    expect(seen('mode')).toBe('Live')
    expect(seen('figure-loss')).toContain('2.314')
  })

  it('keeps the other charts folded, their values as text', async () => {
    expect(seen('value-grad_norm')).toBe('0.309')
    expect(seen('value-samples_per_second')).toBe('412')
    expect(seen('value-eval_loss')).toBe('none yet')
    expect(document.querySelector('[data-testid="chart-grad_norm"]')).toBeNull()
    await press('o')
    expect(document.querySelector('[data-testid="chart-grad_norm"]')).not.toBeNull()
    await press('o')
  })

  it('lists its log by type, NaN marked, and filters it', async () => {
    const kinds = (): (string | null)[] =>
      [...document.querySelectorAll('.log-record')].map((line) => line.getAttribute('data-kind'))
    expect(kinds()).toEqual(['step', 'evaluation', 'train_start'])
    expect(document.querySelector('.log-record .failed')?.textContent?.trim()).toBe('NaN')
    await click(document.querySelector('[data-testid="log-evaluation"]'))
    expect(kinds()).toEqual(['evaluation'])
    await click(document.querySelector('[data-testid="log-evaluation"]'))
    expect(kinds()).toHaveLength(3)
  })

  it('asks before it stops', async () => {
    await click(document.querySelector('[aria-label="Stop"]'))
    expect(posted('POST')).toEqual([])
    const dialog = document.querySelector('[role="alertdialog"]')
    expect(dialog?.textContent).toContain('Stop “tiny-gpt”?')
    const buttons = [...dialog!.querySelectorAll('button')]
    await click(buttons.find((button) => button.textContent?.trim() === 'Stop training'))
    expect(posted('POST')).toEqual([
      { path: 'api/tasks/tiny/runs/r1/commands', method: 'POST', body: { command: 'stop' } },
    ])
  })

  it('puts the crosshair on a line that is clicked', async () => {
    await click(document.querySelector('.log-record'))
    expect(session().view.hover.value).toEqual({ sequence: 2, x: 2 })
  })
})

describe('an ended task', () => {
  it('is reviewed, with what came out', async () => {
    await show('done')
    expect(seen('mode')).toBe('Review')
    expect(seen('figure-eval_loss')).toContain('2.200')
    expect(document.querySelector('[data-testid="follow"]')).toBeNull()
    expect(seen('log-count')).toBe('3 records')
  })

  it('says why it failed', async () => {
    await show('broken')
    expect(seen('failure')).toContain('CUDA out of memory')
  })
})

describe('the page', () => {
  it('opens its help by a key, with practices and keys', async () => {
    await press('?')
    expect(seen('help-sheet')).toContain('Watch the loss curve')
    expect(seen('help-sheet')).toContain('Follow the newest point')
    await press('Escape', document.activeElement ?? window)
    expect(seen('help-sheet')).toBe('')
  })

  it('changes its words with the language, everywhere at once', async () => {
    applyLanguage('zh')
    await settle()
    expect(seen('strip-remaining')).toContain('预计剩余时间')
    expect(seen('log')).toContain('评估事件')
    expect(seen('mode')).toBe('实时监控')
    applyLanguage('en')
  })

  it('goes to the tasks and renames one in place', async () => {
    await press('2')
    const table = document.querySelector('.tasks .scroller')!
    const field = () => document.querySelector<HTMLInputElement>('[data-testid="task-tiny"] input')
    await click(document.querySelector('[data-testid="task-tiny"]'))
    await press('F2', table)
    expect(field()?.value).toBe('tiny-gpt')
    field()!.value = '新名字'
    field()!.dispatchEvent(new Event('input'))
    await press('Enter', field()!)
    expect(posted('PATCH')).toEqual([{ path: 'api/tasks/tiny', method: 'PATCH', body: { name: '新名字' } }])
    expect(seen('task-tiny')).toContain('新名字')
  })

  it('filters the tasks by status', async () => {
    await press('2')
    await click(document.querySelector('[data-testid="status-failed"]'))
    expect(document.querySelectorAll('.task-row')).toHaveLength(1)
    expect(seen('task-broken')).toContain('Failed')
    await click(document.querySelector('[data-testid="status-failed"]'))
  })

  it('tells where the data lies', async () => {
    await press('3')
    expect(seen('home')).toBe('/home/ann/stepline')
  })

  it('says what to do when the home is empty', async () => {
    MadeSocket.newest!.says({ type: 'tasks', tasks: [], removed: ['tiny', 'done', 'broken'], more: false })
    await settle()
    expect(seen('empty-home')).toContain('SteplineCallback()')
    expect(seen('empty-home')).toContain('Run the demo')
    expect(seen('environment')).toContain('transformers 5.23.0')
    expect(seen('environment')).toContain(beginning.environments[0]!.run)
    expect(seen('environment')).toContain(beginning.environments[0]!.install)
  })
})
