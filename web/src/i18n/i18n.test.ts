import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Language } from '@/data/language'
import { applyLanguage, i18n, messages } from './index'

type Leaf = [path: string, text: string]

function leaves(node: object, path = ''): Leaf[] {
  return Object.entries(node).flatMap(([key, value]): Leaf[] =>
    typeof value === 'string' ? [[`${path}${key}`, value]] : leaves(value as object, `${path}${key}.`),
  )
}

const placeholders = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

describe('catalogues', () => {
  const english = new Map(leaves(messages.en))
  const others = (Object.keys(messages) as Language[]).filter((language) => language !== 'en')

  it.each(others)('%s has the keys of English, and no others', (language) => {
    expect(leaves(messages[language]).map(([path]) => path)).toEqual([...english.keys()])
  })

  it.each(others)('%s fills in the same values', (language) => {
    for (const [path, text] of leaves(messages[language])) {
      expect(placeholders(text), path).toEqual(placeholders(english.get(path) ?? ''))
    }
  })

  it('has no empty text and no exclamation mark', () => {
    for (const language of Object.keys(messages) as Language[]) {
      for (const [path, text] of leaves(messages[language])) {
        expect(text.trim(), `${language} ${path}`).not.toBe('')
        expect(text, `${language} ${path}`).not.toMatch(/[!！]/)
      }
    }
  })

  it('compiles every message', () => {
    for (const language of Object.keys(messages) as Language[]) {
      for (const [path] of leaves(messages[language])) {
        expect(i18n.global.t(path, {}, { locale: language }), path).not.toBe(path)
      }
    }
  })

  it('has words for every code that the program can answer with', () => {
    const tree = readFileSync(resolve(__dirname, '../../../backend/stepline/errors.py'), 'utf8')
    const codes = [...tree.matchAll(/^ {4}code = "(\w+)"/gm)].map(([, code]) => code)
    expect(codes.length).toBeGreaterThan(10)
    expect(Object.keys(messages.en.errors)).toEqual(expect.arrayContaining(codes))
  })

  it('explains every chart that the manual explains', () => {
    const charts = Object.keys(messages.en.charts)
    expect(Object.keys(messages.en.help)).toEqual(['label', ...charts, 'other'])
  })
})

describe('language', () => {
  afterEach(() => applyLanguage('en'))

  it('changes the words and the document', () => {
    applyLanguage('zh')
    expect(i18n.global.t('charts.loss.title')).toBe('损失曲线')
    expect(document.documentElement.lang).toBe('zh-CN')
  })
})
