/** What changed in the settings from one run to the next, as short as it can be said: `lr 2e-4 → 1e-4`. */
import { exponent } from '@/data/figures'
import type { SettingChange } from '@/wire'

const SHORT: Record<string, string> = {
  learning_rate: 'lr',
  per_device_train_batch_size: 'batch',
  gradient_accumulation_steps: 'accumulation',
  num_train_epochs: 'epochs',
  lr_scheduler_type: 'schedule',
  weight_decay: 'decay',
  warmup_steps: 'warmup',
  max_grad_norm: 'clip',
}

/** Settings that a person looks for first; the others follow in the order given. */
const FIRST = ['learning_rate', 'per_device_train_batch_size', 'num_train_epochs', 'lr_scheduler_type', 'seed']

export function changeText(change: SettingChange): string {
  const last = change.name.split('.').at(-1)!
  return `${SHORT[last] ?? last} ${settingValue(change.before)} → ${settingValue(change.after)}`
}

/** The changes in order of weight. */
export function changeTexts(changes: readonly SettingChange[]): string[] {
  const weight = (change: SettingChange): number => {
    const at = FIRST.indexOf(change.name.split('.').at(-1)!)
    return at < 0 ? FIRST.length : at
  }
  return [...changes].sort((a, b) => weight(a) - weight(b)).map(changeText)
}

/** The first of them, and how many more there are: `lr 2e-4 → 1e-4 +2`. */
export function firstChanges(texts: readonly string[], most: number): string {
  const shown = texts.slice(0, most).join(', ')
  return texts.length > most ? `${shown} +${texts.length - most}` : shown
}

function settingValue(text: string | null): string {
  if (text === null || text === '') return '–'
  const value = Number(text)
  if (!Number.isFinite(value)) return text.length > 24 ? `${text.slice(0, 23)}…` : text
  const size = Math.abs(value)
  if (size > 0 && (size < 1e-2 || size >= 1e6)) return exponent(value, 2)
  return String(Number(value.toPrecision(6)))
}
