/**
 * The catalogues and the one on screen. A further language is one file beside `en.ts`, a line in the tables here and in
 * `data/language.ts`, where the languages and their tags for Intl stand.
 */
import { createI18n } from 'vue-i18n'
import { LOCALES, preferredLanguage, type Language } from '@/data/language'
import { en, type Messages } from './en'
import { zh } from './zh'

declare module 'vue-i18n' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- vue-i18n's own way to learn the keys
  export interface DefineLocaleMessage extends Messages {}
}

export const LANGUAGE_NAMES: Record<Language, string> = { en: en.bar.languageName, zh: zh.bar.languageName }

export const messages: Record<Language, Messages> = { en, zh }

export const i18n = createI18n({
  legacy: false,
  locale: preferredLanguage(navigator.languages),
  fallbackLocale: 'en',
  messages,
})

/** Shows the page in this language; the document says so too, for screen readers and for the choice of Chinese glyphs. */
export function applyLanguage(language: Language): void {
  i18n.global.locale.value = language
  document.documentElement.lang = LOCALES[language]
}
