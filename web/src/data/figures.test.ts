// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { exponent, integer, metricValue, toNumber } from './figures'
import { preferredLanguage } from './language'
import { METRIC_ORDER, metricKind } from './metrics'

describe('figures', () => {
  it.each([
    ['loss', 3.4771, '3.477'],
    ['loss', 0.0000123, '1.23e-5'],
    ['loss', 12040.4, '12,040'],
    ['perplexity', 32.41, '32.4'],
    ['perplexity', 1.1194, '1.119'],
    ['perplexity', 57849.2, '57,849'],
    ['learning_rate', 1.1623e-4, '1.16e-4'],
    ['learning_rate', 0, '0'],
    ['samples_per_second', 411.7, '412'],
    ['samples_per_second', 6.789, '6.79'],
    ['samples_per_second', 41.26, '41.3'],
    ['grad_norm', NaN, 'NaN'],
    ['grad_norm', Infinity, '∞'],
    ['rewards/margins', 0.25, '0.2500'],
  ])('write %s %d as %s', (metric, value, text) => expect(metricValue(metric, value)).toBe(text))

  it('write large numbers with grouping and learning rates short', () => {
    expect(integer(1240)).toBe('1,240')
    expect(integer(1240, 'zh')).toBe('1,240')
    expect(exponent(1.9e-4)).toBe('1.9e-4')
    expect(exponent(2e-4)).toBe('2e-4')
  })

  it('read the wire’s numbers', () => {
    expect([1.5, 'NaN', 'Infinity', '-Infinity', null, 'text'].map(toNumber)).toEqual([
      1.5,
      NaN,
      Infinity,
      -Infinity,
      NaN,
      NaN,
    ])
  })
})

describe('the language', () => {
  it.each([
    [['zh-CN', 'en'], 'zh'],
    [['fr', 'zh_TW'], 'zh'],
    [['C'], 'en'],
    [[], 'en'],
    [['en-POSIX'], 'en'],
  ] as const)('for %j is %s', (wanted, language) => expect(preferredLanguage(wanted)).toBe(language))
})

describe('metrics', () => {
  it('have one colour each, the same every time', () => {
    expect(new Set(METRIC_ORDER.map((name) => metricKind(name).token)).size).toBe(METRIC_ORDER.length)
    expect(metricKind('rewards/margins')).toEqual(metricKind('rewards/margins'))
  })

  it('that evaluations logged are sparse', () => {
    expect(metricKind('eval_accuracy').sparse).toBe(true)
    expect(metricKind('accuracy').sparse).toBe(false)
  })
})
