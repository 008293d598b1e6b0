/**
 * Languages of the page: the catalogues, the one shown, and the tag that Intl gets for it.
 *
 * A further language is one file beside `en.ts` and one line in each table here. The browser's own language is only looked
 * at to choose a catalogue; Intl is given our tag, never `navigator.language`, which may be "C" or "en-US@posix".
 */
import { createI18n } from 'vue-i18n'
import { en, type Messages } from './en'
import { zh } from './zh'

declare module 'vue-i18n' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- vue-i18n's own way to learn the keys
  export interface DefineLocaleMessage extends Messages {}
}

export type Language = 'en' | 'zh'

/** What Intl and the document's `lang` are given. */
export const LOCALES: Record<Language, string> = { en: 'en', zh: 'zh-CN' }

export const LANGUAGE_NAMES: Record<Language, string> = { en: en.bar.languageName, zh: zh.bar.languageName }

export const messages: Record<Language, Messages> = { en, zh }

/** The first of the wished languages that there is a catalogue for; English where there is none. */
export function chooseLanguage(wished: readonly string[]): Language {
  for (const tag of wished) {
    const primary = tag.toLowerCase().split(/[-_.@]/)[0]
    if (primary === 'zh' || primary === 'en') return primary
  }
  return 'en'
}

export const i18n = createI18n({
  legacy: false,
  locale: chooseLanguage(navigator.languages ?? []),
  fallbackLocale: 'en',
  messages,
})

/** Shows the page in this language; the document says so too, for screen readers and for the choice of Chinese glyphs. */
export function applyLanguage(language: Language): void {
  i18n.global.locale.value = language
  document.documentElement.lang = LOCALES[language]
}
