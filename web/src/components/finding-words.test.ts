import { describe, expect, it } from 'vitest'
import { createFormat } from '@/i18n/format'
import { i18n } from '@/i18n'
import type { Language } from '@/data/language'
import type { Finding } from '@/wire'
import { findingWords, type Translate } from './finding-words'

const say =
  (locale: Language): Translate =>
  (key, values, plural) =>
    i18n.global.t(key, values ?? {}, { locale, ...(plural === undefined ? {} : { plural }) })

function finding(part: Partial<Finding>): Finding {
  return {
    id: 'masked_nan:2:5',
    rule: 'masked_nan',
    severity: 'error',
    run: 2,
    first_sequence: 5,
    last_sequence: 18,
    evidence: { sign: 'certain', records: 14, first_step: 9340, last_step: 9600, clean_checkpoint: 9000 },
    ...part,
  }
}

describe('findings', () => {
  it('say where, what and the last clean checkpoint', () => {
    const { title, text } = findingWords(finding({}), createFormat('en'), say('en'))
    expect(title).toBe('NaN hidden by the trainer')
    expect(text).toBe(
      'Run 2, steps 9,340–9,600: 14 records logged as loss 0.0 while the gradient norm was NaN. Last clean checkpoint: 9,000.',
    )
  })

  it('read naturally in Chinese', () => {
    expect(findingWords(finding({}), createFormat('zh'), say('zh')).text).toBe(
      '第 2 次运行第 9,340–9,600 步：14 条记录写作损失 0.0，而梯度范数为 NaN。最后一个完好的检查点：9,000。',
    )
  })

  it('name a single step as one', () => {
    const { text } = findingWords(
      finding({ evidence: { sign: 'plain', records: 1, first_step: 10, last_step: 10 } }),
      createFormat('en'),
      say('en'),
    )
    expect(text).toBe('Run 2, step 10: 1 record whose loss is no finite number.')
  })

  it('tell a stall in time', () => {
    const stall = finding({ rule: 'stall', evidence: { silent_secs: 600, median_secs: 8 } })
    expect(findingWords(stall, createFormat('en'), say('en')).text).toBe(
      'Run 2: Nothing for 10 min; usually a step is logged every 8 s.',
    )
  })

  it.each([
    [0.25, 'en', 'Run 2: Nothing for 5 h 17 min; usually a step is logged every 0.3 s.'],
    [5, 'zh', '第 2 次运行：已有 5 小时 17 分钟没有记录，通常每 5 秒记录一次。'],
  ] as const)('tell it of steps that come every %s s, in %s', (median, language, said) => {
    const stall = finding({ rule: 'stall', evidence: { silent_secs: 19_020, median_secs: median } })
    expect(findingWords(stall, createFormat(language), say(language)).text).toBe(said)
  })

  it('keep the name of a rule that this page does not know', () => {
    expect(findingWords(finding({ rule: 'plateau' }), createFormat('en'), say('en')).title).toBe('Finding: plateau')
  })
})
