/** The sentence and the advice of a finding, from its rule and evidence; a rule that the catalogues do not know keeps its name. */
import type { Format } from '@/i18n/format'
import { toNumber } from '@/data/figures'
import type { Finding } from '@/wire'

export interface FindingWords {
  title: string
  text: string
  advice: string
}

/** As vue-i18n's `t`: a third argument chooses between singular and plural. */
export type Translate = (key: string, values?: Record<string, unknown>, plural?: number) => string

const STALLS: readonly unknown[] = ['steps', 'evaluate', 'save', 'process']
const SIGNS: readonly unknown[] = ['certain', 'plain', 'likely']

function place(finding: Finding, format: Format, t: Translate): string {
  const first = toNumber(finding.evidence.first_step)
  const last = toNumber(finding.evidence.last_step)
  if (!Number.isFinite(first)) return t('finding.run', { run: finding.run })
  if (!Number.isFinite(last) || first === last) {
    return t('finding.step', { run: finding.run, first: format.whole(first) })
  }
  return t('finding.steps', { run: finding.run, first: format.whole(first), last: format.whole(last) })
}

export function findingWords(finding: Finding, format: Format, t: Translate): FindingWords {
  const { evidence } = finding
  if (finding.rule === 'masked_nan') {
    const sign = SIGNS.includes(evidence.sign) ? String(evidence.sign) : 'plain'
    const records = toNumber(evidence.records)
    const clean = toNumber(evidence.clean_checkpoint)
    const sentence = t('finding.sentence', {
      place: place(finding, format, t),
      text: t(`finding.masked_nan.${sign}.text`, { n: format.whole(records) }, records),
      clean: Number.isFinite(clean) ? t('finding.cleanCheckpoint', { step: format.whole(clean) }) : '',
    })
    return {
      title: t(`finding.masked_nan.${sign}.title`),
      text: sentence.trim(),
      advice: t(`finding.masked_nan.${sign}.advice`),
    }
  }
  if (finding.rule === 'stall') {
    const silent = format.join(format.duration(toNumber(evidence.silent_secs)))
    const every = toNumber(evidence.median_secs)
    const median =
      every < 1 ? t('finding.tenths', { n: Math.max(0.1, every).toFixed(1) }) : format.join(format.duration(every))
    const secs = toNumber(evidence.took_secs)
    const took = secs < 1 ? t('finding.underASecond') : format.join(format.duration(secs))
    const sign = evidence.sign === 'phase' ? evidence.phase : evidence.sign
    const told = STALLS.includes(sign) ? String(sign) : 'steps'
    return {
      title: t('finding.stall.title'),
      text: t('finding.sentence', {
        place: t('finding.run', { run: finding.run }),
        text: t(`finding.stall.${told}`, { silent, median, took }),
        clean: '',
      }).trim(),
      advice: t('finding.stall.advice'),
    }
  }
  if (finding.rule === 'diverged' || finding.rule === 'overfitting') {
    const n = toNumber(evidence.evaluations)
    const step = format.whole(toNumber(evidence.first_step))
    const [start, best, now] = [evidence.start, evidence.best, evidence.now].map((loss) => format.figure('loss', loss))
    return {
      title: t(`finding.${finding.rule}.title`),
      text: t('finding.sentence', {
        place: place(finding, format, t),
        text: t(`finding.${finding.rule}.text`, { start, best, now, n: format.whole(n) }),
        clean: '',
      }).trim(),
      advice: t(`finding.${finding.rule}.advice`, { step }),
    }
  }
  return {
    title: t('finding.other.title', { rule: finding.rule }),
    text: place(finding, format, t),
    advice: t('finding.other.advice'),
  }
}
