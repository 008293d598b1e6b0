/** Series as CSV: a line a record, a column a metric; an absent value is empty, a non-finite one as the journal writes it. */
import type { SeriesFrame } from '@/data/frame'
import type { Span } from '@/data/view'
import { placesIn } from './range'

interface Row {
  sequence: number
  run: number
  step: number
  time: number
  values: Map<string, number>
}

export function toCsv(series: readonly SeriesFrame[], view: Span): string {
  const rows = new Map<number, Row>()
  for (const one of series) {
    for (const line of one.lines) {
      const [first, last] = placesIn(line, view)
      for (let place = first; place < last; place++) {
        const { raw } = line
        const sequence = raw.sequence.at(place)
        let row = rows.get(sequence)
        if (!row) {
          row = { sequence, run: line.run, step: raw.step.at(place), time: raw.time.at(place), values: new Map() }
          rows.set(sequence, row)
        }
        row.values.set(one.name, raw.value.at(place))
      }
    }
  }
  const names = series.map((one) => one.name)
  const lines = [['sequence', 'run', 'step', 'time', ...names].map(quoted).join(',')]
  for (const row of [...rows.values()].sort((a, b) => a.sequence - b.sequence)) {
    const figures = names.map((name) => (row.values.has(name) ? String(row.values.get(name)) : ''))
    lines.push([row.sequence, row.run, figure(row.step), figure(row.time), ...figures].join(','))
  }
  return `${lines.join('\r\n')}\r\n`
}

const figure = (value: number): string => (Number.isNaN(value) ? '' : String(value))
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
