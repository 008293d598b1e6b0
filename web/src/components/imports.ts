/** Bringing files in: one import at a time, how far it is, and what became of it told in one line. */
import { createSharedComposable } from '@vueuse/core'
import { ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { isAborted, RequestFailed } from '@/data/api'
import { useSession } from '@/data/session'
import { MOST_BYTES, MOST_FILES, upload, type ChosenFile } from '@/data/upload'
import { useFormat } from '@/i18n/format'
import { usePage } from '@/pages/route'
import type { Imported, TakenIn } from '@/wire'
import { say, sayError } from './notices'

export interface Importing {
  name: string
  /** Of the bytes to send; 1: all are sent, and are being read. */
  share: number
  /** Of the reading. */
  read: number
  cancel: () => void
}

export const useImports = createSharedComposable(() => {
  const { t } = useI18n()
  const format = useFormat()
  const session = useSession()
  const page = usePage()
  const importing = ref<Importing | null>(null)
  const choosing = ref(0)

  function outcome(done: readonly Imported[]): string {
    const first = done[0]!
    const leftOut = done.reduce((sum, each) => sum + each.left_out_count, 0)
    let text = t('import.several', { n: format.value.whole(done.length) }, done.length)
    if (done.length === 1) {
      const values = { name: first.name, n: format.value.whole(first.records) }
      text = first.records === 0 ? t('import.nothingNew', values) : t('import.one', values, first.records)
    }
    return leftOut > 0 ? `${text} ${t('import.leftOut', { n: format.value.whole(leftOut) }, leftOut)}` : text
  }

  async function tell(taken: TakenIn): Promise<void> {
    const done = taken.imported.filter((each) => each.error === null)
    const failed = taken.imported.find((each) => each.error !== null)
    if (failed?.error) {
      const text = done.length > 0 ? outcome(done) : t('import.failed', { name: failed.path })
      sayError(text, new RequestFailed(failed.error, 422))
    } else if (done.length > 0) say(outcome(done))
    if (taken.tasks[0] !== undefined) {
      await session.bring(taken.tasks[0])
      page.value = 'monitor'
    }
  }

  async function bringIn(files: readonly ChosenFile[]): Promise<void> {
    if (files.length === 0 || importing.value !== null) return
    const bytes = files.reduce((sum, { file }) => sum + file.size, 0)
    if (files.length > MOST_FILES || bytes > MOST_BYTES) {
      say(t('import.tooMuch', { files: format.value.whole(MOST_FILES), size: format.value.bytes(MOST_BYTES) }))
      return
    }
    const name = files[0]!.path.split('/')[0]!
    const ending = new AbortController()
    importing.value = { name, share: 0, read: 0, cancel: () => ending.abort() }
    try {
      const sent = (share: number) => {
        if (importing.value) importing.value.share = share
      }
      const read = (share: number) => {
        if (importing.value) Object.assign(importing.value, { share: 1, read: share })
      }
      await tell(await upload(files, sent, read, ending.signal))
    } catch (error) {
      if (isAborted(error)) say(t('import.cancelled'))
      else sayError(t('import.failed', { name }), error)
    } finally {
      importing.value = null
    }
  }

  return { importing, choosing, choose: () => (choosing.value += 1), bringIn, tell }
})
