import { describe, expect, it } from 'vitest'
import { createFormat } from '@/i18n/format'
import { i18n } from '@/i18n'
import type { LogRow, TaskDetail } from '@/wire'
import { LOG_GROUPS, logCells, logSentence, logType } from './log-rows'

const format = createFormat('en')
const t = (key: string, values?: Record<string, unknown>): string => i18n.global.t(key, values ?? {}, { locale: 'en' })

function row(part: Partial<LogRow>): LogRow {
  return {
    sequence: 7,
    run: 2,
    step: 1000,
    epoch: null,
    time: 0,
    kind: 'step',
    metrics: {},
    message: null,
    status: null,
    masked: false,
    ...part,
  }
}

const detail = {
  runs: [
    { number: 1, changes: [] },
    { number: 2, changes: [{ name: 'learning_rate', before: '2e-4', after: '1e-4' }] },
  ],
  checkpoints: [{ sequence: 7, run: 2, step: 1000, time: 0, path: '/data/训练/checkpoint-1000', bytes: 1_420_000_000 }],
} as unknown as TaskDetail

describe('type', () => {
  it('is the kind of the record', () => {
    expect(logType(row({ kind: 'checkpoint' }))).toBe('checkpoint')
  })

  it('makes a failed end an error', () => {
    expect(logType(row({ kind: 'train_end', status: 'failed' }))).toBe('error')
    expect(logType(row({ kind: 'train_end', status: 'stopped' }))).toBe('train_end')
  })

  it('has every kind in exactly one group of the filter', () => {
    const kinds = LOG_GROUPS.flatMap((group) => group.kinds)
    expect([...kinds].sort()).toEqual(['checkpoint', 'evaluation', 'message', 'step', 'train_end', 'train_start'])
  })
})

describe('figures', () => {
  it('stand in their columns', () => {
    const cells = logCells(
      row({ metrics: { loss: 3.44441, learning_rate: 0.000116, grad_norm: 0.309, samples_per_second: 411.12 } }),
      format,
    )
    expect(cells.map(({ text }) => text)).toEqual(['3.4444', '1.16e-4', '0.3090', '411.1'])
  })

  it('shows an evaluation’s loss in the loss column', () => {
    expect(logCells(row({ kind: 'evaluation', metrics: { eval_loss: 3.4801 } }), format)[0]?.text).toBe('3.4801')
  })

  it.each(['NaN', 'Infinity', '-Infinity'] as const)('marks %s', (value) => {
    const [loss, rate] = logCells(row({ metrics: { loss: value, learning_rate: 1e-4 } }), format)
    expect(loss?.bad).toBe(true)
    expect(rate?.bad).toBe(false)
  })

  it('marks a loss of 0 that hides a NaN, and shows it as it was logged', () => {
    const [loss, rate] = logCells(row({ masked: true, metrics: { loss: 0, learning_rate: 0 } }), format)
    expect(loss).toMatchObject({ text: '0.000', bad: true, masked: true })
    expect(rate).toMatchObject({ bad: false, masked: false })
  })
})

describe('sentence', () => {
  it('names what a start changed', () => {
    const { text, aside } = logSentence(row({ kind: 'train_start' }), detail, format, t)
    expect(text).toBe('Run 2 started')
    expect(aside).toBe('learning_rate 2e-4 → 1e-4')
  })

  it('names what was saved and how large it is', () => {
    expect(logSentence(row({ kind: 'checkpoint' }), detail, format, t)).toEqual({
      text: 'checkpoint-1000',
      aside: '1.42 GB',
    })
  })

  it('says how a run ended, in the trainer’s words where it gave some', () => {
    expect(logSentence(row({ kind: 'train_end', status: 'stopped' }), detail, format, t).text).toBe(
      'Run 2 stopped at step 1,000',
    )
    expect(
      logSentence(row({ kind: 'train_end', status: 'failed', message: 'OutOfMemoryError: …' }), detail, format, t).text,
    ).toBe('OutOfMemoryError: …')
  })

  it('loses no metric: what has no column stands here', () => {
    const { aside } = logSentence(row({ metrics: { loss: 1, epoch_time: 2.5, note: 'warm' } }), null, format, t)
    expect(aside).toBe('epoch_time 2.500 · note warm')
  })
})
