/** Filter and search over the rows at hand (the latest 200 of a running task); the server answers both for the complete log. */
import type { LogRow } from '@/wire'
import { LOG_GROUPS, type LogGroup } from './log-rows'

export type LogChoice = LogGroup | 'all'

export const kindsOf = (choice: LogChoice) => LOG_GROUPS.find(({ name }) => name === choice)?.kinds ?? []

const plain = (text: string): string => text.normalize('NFKC').toLowerCase()

export function filterRows(rows: readonly LogRow[], choice: LogChoice, search: string): readonly LogRow[] {
  const kinds = kindsOf(choice)
  const text = plain(search.trim())
  if (kinds.length === 0 && text === '') return rows
  return rows.filter((row) => {
    if (kinds.length > 0 && !kinds.includes(row.kind)) return false
    if (text === '') return true
    const metrics = Object.entries(row.metrics).map(([name, value]) => `${name} ${value}`)
    return plain([row.message ?? '', String(row.step ?? ''), ...metrics].join('\n')).includes(text)
  })
}
