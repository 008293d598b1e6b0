/**
 * The languages that the page speaks, and which of them a person most likely reads.
 *
 * `navigator.language` is never handed to Intl: WebKitGTK answers "C" there when LANG is unset, and
 * `new Intl.NumberFormat('C')` throws. Whatever the browser says is mapped to one of our own two.
 */

export type Language = 'zh' | 'en'

/** What Intl is given, and what stands in the page's `lang`. */
export const LOCALES: Record<Language, string> = { zh: 'zh-CN', en: 'en-US' }

/** The first of the browser's languages that the page speaks; English where it speaks none of them. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split(/[-_]/)[0]
    if (primary === 'zh' || primary === 'en') return primary
  }
  return 'en'
}
