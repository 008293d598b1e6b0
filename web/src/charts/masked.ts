/**
 * A loss that was not a number and was logged as 0 (a masked_nan finding) is drawn as what it was: not at all, and marked.
 *
 * The figures themselves stay as they were logged, in the log, the tooltip and exports.
 */
import { Column, firstFrom, type Line, type Marks, type Points, type SeriesFrame } from '@/data/frame'
import type { Finding } from '@/wire'

/** What a hidden NaN reads, by metric: perplexity is exp(loss). */
const HIDDEN_AS = new Map([
  ['loss', 0],
  ['perplexity', 1],
])

/** The series as it is to be drawn; itself where nothing is hidden in it. */
export function unmasked(series: SeriesFrame, findings: readonly Finding[]): SeriesFrame {
  const hidden = HIDDEN_AS.get(series.name)
  if (hidden === undefined) return series
  const stretches = findings.filter((one) => one.rule === 'masked_nan')
  if (stretches.length === 0) return series
  return { ...series, lines: series.lines.map((line) => unmaskedLine(line, stretches, hidden)) }
}

function unmaskedLine(line: Line, findings: readonly Finding[], hidden: number): Line {
  const value = line.raw.value.values.slice()
  const smooth = line.smooth?.value.values.slice()
  const places: number[] = []
  for (const one of findings.filter((finding) => finding.run === line.run)) {
    const [first, last] = placesOf(line.raw, one)
    for (let place = first; place < last; place++) {
      if (value[place] !== hidden) continue
      value[place] = NaN
      places.push(place)
    }
    if (line.smooth && smooth) smooth.fill(NaN, ...placesOf(line.smooth, one))
  }
  if (places.length === 0) return line
  return {
    ...line,
    raw: { ...line.raw, value: new Column(value) },
    smooth: line.smooth && smooth ? { ...line.smooth, value: new Column(smooth) } : null,
    marks: withMarks(line, places),
  }
}

function placesOf(points: Points, one: Finding): [number, number] {
  const sequences = points.sequence.values
  return [firstFrom(sequences, one.first_sequence), firstFrom(sequences, one.last_sequence + 1)]
}

function withMarks({ raw, marks }: Line, places: readonly number[]): Marks {
  const rows = Array.from({ length: marks.sequence.length }, (_, at) => ({
    sequence: marks.sequence.at(at),
    x: marks.x.at(at),
    step: marks.step.at(at),
    count: marks.count.at(at),
    value: marks.value.at(at),
  }))
  for (const place of places) {
    const sequence = raw.sequence.at(place)
    rows.push({ sequence, x: raw.x.at(place), step: raw.step.at(place), count: 1, value: NaN })
  }
  rows.sort((one, other) => one.sequence - other.sequence)
  const column = (name: keyof Marks) => new Column(Float64Array.from(rows, (row) => row[name]))
  return {
    sequence: column('sequence'),
    x: column('x'),
    step: column('step'),
    count: column('count'),
    value: column('value'),
  }
}
