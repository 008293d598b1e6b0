/**
 * What a log line shows: its type, the figures in its columns, and its sentence. Pure, so that both the live list and the
 * complete log say the same of a record.
 */
import type { Format } from '@/i18n/format'
import type { Kind, LogRow, TaskDetail } from '@/wire'

/** The six kinds of record, and a failed end as its own. */
export type LogType = Kind | 'error'

export type LogGroup = 'step' | 'evaluation' | 'checkpoint' | 'ends' | 'message'

export const LOG_GROUPS: readonly { name: LogGroup; type: LogType; kinds: readonly Kind[] }[] = [
  { name: 'step', type: 'step', kinds: ['step'] },
  { name: 'evaluation', type: 'evaluation', kinds: ['evaluation'] },
  { name: 'checkpoint', type: 'checkpoint', kinds: ['checkpoint'] },
  { name: 'ends', type: 'train_start', kinds: ['train_start', 'train_end'] },
  { name: 'message', type: 'message', kinds: ['message'] },
]

/** Metrics with a column of their own; the others stand in the sentence. */
export const LOG_COLUMNS = [
  { key: 'loss', metrics: ['loss', 'eval_loss'] },
  { key: 'learningRate', metrics: ['learning_rate'] },
  { key: 'gradNorm', metrics: ['grad_norm'] },
  { key: 'speed', metrics: ['samples_per_second'] },
] as const

const NON_FINITE: readonly unknown[] = ['NaN', 'Infinity', '-Infinity']

export interface LogCell {
  key: (typeof LOG_COLUMNS)[number]['key']
  text: string
  /** NaN or infinite: news. */
  bad: boolean
  /** A NaN that the trainer logged as 0. */
  masked: boolean
}

export interface LogSentence {
  text: string
  /** Beside it, in grey: what was saved, further metrics. */
  aside: string
}

export function logType(row: LogRow): LogType {
  return row.kind === 'train_end' && row.status === 'failed' ? 'error' : row.kind
}

export function logCells(row: LogRow, format: Format): LogCell[] {
  return LOG_COLUMNS.map(({ key, metrics }) => {
    const metric = metrics.find((name) => row.metrics[name] !== undefined)
    const value = metric === undefined ? undefined : row.metrics[metric]
    if (metric === undefined || value === undefined) return { key, text: '', bad: false, masked: false }
    const masked = row.masked && metric === 'loss'
    return { key, text: format.precise(metric, value), bad: masked || NON_FINITE.includes(value), masked }
  })
}

type Translate = (key: string, values?: Record<string, unknown>) => string

const lastPart = (path: string): string => path.split(/[\\/]/).filter(Boolean).at(-1) ?? path

function furtherMetrics(row: LogRow, format: Format): string {
  const shown: readonly string[] = LOG_COLUMNS.flatMap(({ metrics }) => {
    const metric = metrics.find((name) => row.metrics[name] !== undefined)
    return metric === undefined ? [] : [metric]
  })
  return Object.entries(row.metrics)
    .filter(([name]) => !shown.includes(name))
    .map(([name, value]) => `${name} ${format.figure(name, value)}`)
    .join(' · ')
}

export function logSentence(row: LogRow, detail: TaskDetail | null, format: Format, t: Translate): LogSentence {
  const run = detail?.runs.find((one) => one.number === row.run)
  const further = furtherMetrics(row, format)
  switch (row.kind) {
    case 'train_start': {
      const changes = run?.changes ?? []
      return {
        text: row.message ?? t('log.started', { n: row.run }),
        aside: changes.map(({ name, before, after }) => `${name} ${before ?? '–'} → ${after ?? '–'}`).join(' · '),
      }
    }
    case 'checkpoint': {
      const saved = detail?.checkpoints.find((one) => one.sequence === row.sequence)
      return {
        text: row.message ?? (saved?.path ? lastPart(saved.path) : t('log.saved')),
        aside: [
          saved?.bytes ? format.bytes(saved.bytes) : '',
          saved?.secs && saved.secs >= 1 ? format.join(format.duration(saved.secs)) : '',
          further,
        ]
          .filter(Boolean)
          .join(' · '),
      }
    }
    case 'train_end': {
      const status = row.status === 'failed' || row.status === 'stopped' ? row.status : 'completed'
      const ended = t('log.ended', {
        n: row.run,
        status: t(`log.ending.${status}`),
        step: row.step === null ? t('common.none') : format.whole(row.step),
      })
      return { text: row.message ?? ended, aside: further }
    }
    default:
      return { text: row.message ?? '', aside: further }
  }
}
