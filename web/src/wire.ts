// Generated from backend/stepline/wire.py by `python -m stepline.wire_typescript`. Do not edit.

/**
 * What the server and the page say to each other, as types.
 *
 * `web/src/wire.ts` is generated from this file by `python -m stepline.wire_typescript`; a test compares the two.
 * JSON has no NaN: a non-finite number travels as the string the journal writes, "NaN", "Infinity" or "-Infinity".
 * Times are Unix seconds, durations seconds. Samples do not travel in these types but in frames (docs/frame.md).
 */

export type Status = 'pending' | 'running' | 'stopping' | 'completed' | 'stopped' | 'failed'

export type Kind = 'train_start' | 'step' | 'evaluation' | 'checkpoint' | 'train_end' | 'message'

export type Axis = 'sequence' | 'step' | 'epoch' | 'time' | 'relative' | 'tokens'

export type Severity = 'info' | 'warning' | 'error'

export type NonFinite = 'NaN' | 'Infinity' | '-Infinity'

export type Number = number | NonFinite

/** One line of the selector and of the table of tasks. */
export interface Task {
  id: string
  name: string
  status: Status
  runs: number
  records: number
  step: number | null
  total_steps: number | null
  started: number | null
  /** Time of the newest record. */
  updated: number | null
  /** Time spent training, all runs together. */
  duration_secs: number
  last_loss: Number | null
  best_loss: Number | null
  best_evaluation: Number | null
  /** Size in the home. */
  bytes: number
  tags: string[]
  notes: string
}

export interface SettingChange {
  name: string
  before: string | null
  after: string | null
}

export interface Run {
  id: string
  /** 1 for the task's first run. */
  number: number
  status: Status
  /** What a run that lives does instead of training, where its last sign of life was a heartbeat that said so. */
  phase: 'evaluate' | 'save' | 'fast_forward' | null
  records: number
  first_sequence: number | null
  last_sequence: number | null
  first_step: number | null
  last_step: number | null
  total_steps: number | null
  started: number
  ended: number | null
  /** Why it ended, where that is known. */
  message: string | null
  /** What differs in the settings from the run before; empty for the first run. */
  changes: SettingChange[]
  unresponsive: boolean
  /** Commands that this run takes now: "stop", "save", "evaluate", "log". */
  controls: string[]
  /** When it hears of a command: at the end of each step, or, on several ranks, of a step that logs. */
  controls_at: 'step' | 'log'
  /** Why a run that lives takes none: "elsewhere", "before_training", "not_offered", or what its ranks said. */
  no_controls: string | null
}

/** What a run's end tells besides its message; None where it does not. */
export interface RunEnd {
  traceback: string | null
  /** The last of it, where `stepline run` told the end. */
  standard_error: string | null
}

export interface Metric {
  name: string
  kind: 'number' | 'text'
  count: number
  last: Number | string | null
  /** Step of the last value. */
  step: number | null
}

export interface Checkpoint {
  sequence: number
  run: number
  step: number | null
  time: number
  path: string | null
  bytes: number | null
  /** What saving it took. */
  secs: number | null
}

export interface Finding {
  /** Rule and place: stable while the finding stands, so that a page can dismiss it. */
  id: string
  rule: string
  severity: Severity
  run: number
  first_sequence: number
  last_sequence: number
  /** Values that the page's sentence for this rule is filled with. */
  evidence: Record<string, Number | string>
}

/** A GPU or system figure (stepline.samplers has the names and units). Its points are placed by time. */
export interface SystemSeries {
  name: string
  last: Number
}

export interface LogRow {
  sequence: number
  run: number
  step: number | null
  epoch: number | null
  time: number
  kind: Kind
  metrics: Record<string, Number | string>
  message: string | null
  /** On `train_end`: how the run ended. */
  status: Status | null
  /** The loss was logged as 0 and hides a NaN: it is no point of its curve. */
  masked: boolean
}

export interface TaskDetail {
  task: Task
  runs: Run[]
  /** Derived ones included ("perplexity" where there is "loss"). */
  metrics: Metric[]
  /** Empty where no run was sampled: it ran elsewhere, or was imported. */
  system: SystemSeries[]
  checkpoints: Checkpoint[]
  findings: Finding[]
  /** Part of the total steps that is done, 0 to 1. */
  progress: number | null
  /** Time remaining as a range; None where it cannot be said. */
  remaining_secs: [number, number] | null
  logging_steps: number | null
  /** Mean of all samples per second that were logged; None while the task trains. */
  mean_speed: Number | null
  /** Sequence of the next record: what this answer does not hold yet begins here. */
  cursor: number
}

export interface TaskList {
  tasks: Task[]
}

/** What a page needs for its first picture, in one answer: the list of tasks comes after it, over the socket. */
export interface Opening {
  settings: Record<string, unknown>
  /** How many there are. */
  tasks: number
  /** Of the task looked at last, else of the newest that trains, waits or has ended; None where there is no task. */
  detail: TaskDetail | null
  /** The newest 200 of its log, newest first. */
  rows: LogRow[]
}

export interface LogPage {
  rows: LogRow[]
  /** Rows that match, also those not in this page. */
  total: number
}

/** Page to server: what it looks at. Replaces the subscription before. */
export interface Subscribe {
  type: 'subscribe'
  task: string | null
  cursor: number
  series: string[]
  /** Span in points; 0 is off. */
  ema: number
  ma: number
}

export interface Hello {
  type: 'hello'
  version: string
  writer: boolean
}

export interface TasksChanged {
  type: 'tasks'
  tasks: Task[]
  removed: string[]
  /** The list goes on in the next message: all tasks are told in parts, so that thousands do not come in one piece. */
  more: boolean
}

/** Server to page: what is new of the subscribed task. The samples follow in a binary frame with the same cursor. */
export interface Facts {
  type: 'facts'
  detail: TaskDetail
  rows: LogRow[]
}

/** Server to page: this client fell behind, or its cursor is not known; fetch again and subscribe anew. */
export interface Behind {
  type: 'behind'
  task: string
}

export interface ErrorBody {
  code: string
  what: string
  why: string
  action: string
  lost: string | null
}

export interface ErrorAnswer {
  error: ErrorBody
}

/** Server to page: what it asked for over the socket cannot be had, for example a task that is gone. */
export interface Trouble {
  type: 'trouble'
  task: string | null
  error: ErrorBody
}

export type ServerMessage = Hello | TasksChanged | Facts | Behind | Trouble

export interface WatchedFolder {
  path: string
  /** Why it cannot be looked at. */
  problem: string | null
}

export interface About {
  version: string
  home: string
  database: string
  /** The home lies on a network file system, so the database lies in a local folder instead. */
  database_moved: boolean
  /** False: another Stepline on this home takes the journals in, and this one reads beside it. */
  writer: boolean
  /** What a person should know of: damaged or refused journals. */
  notes: string[]
  /** The folders of the setting `watchFolders`. */
  watched: WatchedFolder[]
  /** Compiled in the background; until they are ready, and where they cannot be, NumPy does their work. */
  kernels: 'preparing' | 'ready' | 'failed'
}

export type EnvironmentKind = 'conda' | 'pyenv' | 'system' | 'uv' | 'venv'

/** A Python environment of this machine that has transformers, and the lines to paste for it. */
export interface FoundEnvironment {
  kind: EnvironmentKind
  path: string
  transformers: string
  /** Version of what is installed there already. */
  stepline: string | null
  install: string
  run: string
}

/** How a training comes to be recorded: lines for a terminal, in any environment and in those that were found. */
export interface Beginning {
  command: string
  /** The recorder's wheel, which the packaged app carries: the lines install it without an index. */
  wheel: string | null
  install: string
  run: string
  environments: FoundEnvironment[]
}

/** What a page may change of a task; what is left out stays as it is. */
export interface TaskEdit {
  name?: string
  tags?: string[]
  notes?: string
}

export interface TrashedTask {
  task: Task
  since: number
  /** With its journals. */
  bytes: number
}

export interface Trash {
  /** The one that came last first. */
  tasks: TrashedTask[]
  /** After so many days a task is removed; 0: it stays until somebody empties the trash. */
  kept_days: number
}

/** Ids of tasks that a person chose. */
export interface ChosenTasks {
  tasks: string[]
}

export interface DemoBegun {
  /** `recorded`: no transformers here, so a training that was recorded elsewhere is played. */
  kind: 'training' | 'recorded'
}

/** What a page keeps to come back by itself after a restart on the same home; hexadecimal. */
export interface ReturnKey {
  key: string
  port: number
}

export interface Challenge {
  nonce: string
}

/** The server's proof for the page's nonce, with a nonce of its own; then the page's proof for that one. */
export interface ReturnProof {
  nonce: string
  proof: string
}

/** Asks to take in what lies in the home, and the histories at these paths besides: files, folders, journals. */
export interface TakeIn {
  paths?: string[]
  /** The files are followed: the last run of each goes on. */
  growing?: boolean
  /** The answer is JSON lines, as that of an upload. */
  telling?: boolean
}

export interface LeftOut {
  place: string
  reason: string
}

/** What became of one task of one path, or of the path, where no task was found in it. */
export interface Imported {
  path: string
  /** `grown`: what is new was appended. `recorded`: Stepline recorded this training itself. */
  state: 'imported' | 'grown' | 'replaced' | 'unchanged' | 'recorded' | 'failed' | 'cancelled'
  task: string | null
  name: string
  format: string
  runs: number
  /** Those added. */
  records: number
  /** What was understood in a way that a person should know, a sentence each. */
  told: string[]
  left_out: LeftOut[]
  /** `left_out` has the first 200 of them. */
  left_out_count: number
  error: ErrorBody | null
}

export interface TakenIn {
  /** Ids of the tasks that the asked paths belong to. */
  tasks: string[]
  imported: Imported[]
}

/** How far an import is, 0 to 1; `TakenIn` or `ErrorAnswer` comes last. */
export interface ImportProgress {
  share: number
}

/** Asks a running training to do something now; it says in its journal when it did. */
export interface Command {
  command: 'stop' | 'save' | 'evaluate' | 'log'
}

/** Asks for the window, and to show there what was taken in for it; null: only to come forward. */
export interface Focus {
  taken: TakenIn | null
}

export interface CommandGiven {
  id: string
}
