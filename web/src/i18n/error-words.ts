/**
 * An error in the language on screen: what failed and what to do by its code, and beneath it what the program said of this
 * very case, which is English, as in the terminal.
 */
import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ErrorBody } from '@/wire'
import { messages } from './index'

export interface ErrorWords {
  what: string
  detail: string
  action: string
  lost: string
}

const isKnown = (code: string): code is keyof typeof messages.en.errors => code in messages.en.errors
const sentence = (text: string): string => (text === '' || /[.?。？]$/.test(text) ? text : `${text}.`)

export function useErrorWords(): ComputedRef<(error: ErrorBody) => ErrorWords> {
  const { t } = useI18n()
  return computed(() => (error) => {
    const code = isKnown(error.code) ? error.code : 'error'
    return {
      what: t(`errors.${code}.what`),
      detail: [error.what, error.why].map(sentence).filter(Boolean).join(' '),
      action: t(`errors.${code}.action`),
      lost: error.lost ? t('state.lostData', { what: error.lost }) : '',
    }
  })
}
