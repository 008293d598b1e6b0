import { describe, expect, it } from 'vitest'
import { createFormat } from './format'

const en = createFormat('en')
const zh = createFormat('zh')

describe('figures', () => {
  it.each([
    ['loss', 3.47712, '3.477'],
    ['loss', 10.9712, '10.971'],
    ['perplexity', 57849.3, '57,849'],
    ['perplexity', 32.41, '32.4'],
    ['loss', 0.00004, '4e-5'],
    ['loss', 0, '0.000'],
    ['samples_per_second', 408.26, '408'],
    ['learning_rate', 0.00019, '1.90e-4'],
    ['learning_rate', 0.0001, '1.00e-4'],
    ['learning_rate', 0, '0'],
    ['loss', 'NaN', 'NaN'],
    ['loss', 'Infinity', '∞'],
    ['loss', -Infinity, '−∞'],
    ['note', 'warm', 'warm'],
    ['loss', null, '–'],
  ] as const)('%s %s reads %s', (metric, value, text) => {
    expect(en.figure(metric, value)).toBe(text)
  })

  it('gives the log one digit more', () => {
    expect(en.precise('loss', 3.44441)).toBe('3.4444')
    expect(en.precise('learning_rate', 0.000116)).toBe('1.16e-4')
  })
})

describe('sizes and parts', () => {
  it('never says 100 % before it is', () => {
    expect(en.percent(0.99999)).toEqual({ figure: '99.9', unit: '%' })
    expect(en.percent(1)).toEqual({ figure: '100', unit: '%' })
  })

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [94_000_000, '94.0 MB'],
    [1_420_000_000, '1.42 GB'],
    [999_999, '1.00 MB'],
  ])('%d bytes read %s', (size, text) => {
    expect(en.bytes(size)).toBe(text)
  })
})

describe('times', () => {
  const now = new Date(2026, 10, 23, 12, 0, 0).getTime() / 1000

  it('says how long ago in the fewest words', () => {
    expect(en.when(now - 5, now)).toBe('now')
    expect(en.when(now - 3600, now)).toBe('11:00')
    expect(en.when(now - 86400, now)).toBe('yesterday, 12:00')
    expect(zh.when(now - 86400, now)).toBe('昨天 12:00')
    expect(zh.when(now - 86400 * 12, now)).toBe('11月11日')
    expect(en.when(null, now)).toBe('–')
  })

  it('uses twenty-four hours', () => {
    expect(en.clock(new Date(2026, 0, 1, 0, 5, 9).getTime() / 1000)).toBe('00:05:09')
  })

  it('joins durations', () => {
    expect(en.join(en.duration(26520))).toBe('7 h 22 min')
    expect(zh.join(zh.duration(26520))).toBe('7 小时 22 分钟')
    expect(en.join(en.duration(42))).toBe('42 s')
    expect(en.join(en.duration(0))).toBe('–')
    expect(en.join(en.duration(86400 * 3))).toBe('3 d 0 h')
  })

  it('gives the time remaining as a range in one unit', () => {
    expect(en.remaining([2580, 2880])).toEqual({ figure: '43–48', unit: 'min' })
    expect(en.remaining([0.1, 0.3])).toEqual({ figure: '< 1', unit: 's' })
    expect(zh.remaining([30, 30.2])).toEqual({ figure: '30', unit: '秒' })
    expect(en.remaining([5 * 3600, 6 * 3600])).toEqual({ figure: '5.0–6.0', unit: 'h' })
  })
})
