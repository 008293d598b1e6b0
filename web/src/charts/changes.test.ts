// @vitest-environment node
import { expect, it } from 'vitest'
import { changeText, changeTexts, firstChanges } from './changes'

const change = (name: string, before: string | null, after: string | null) => ({ name, before, after })

it.each([
  [change('learning_rate', '0.0002', '0.0001'), 'lr 2e-4 → 1e-4'],
  [change('args.learning_rate', '5e-05', '1e-05'), 'lr 5e-5 → 1e-5'],
  [change('per_device_train_batch_size', '8', '16'), 'batch 8 → 16'],
  [change('lr_scheduler_type', 'linear', 'cosine'), 'schedule linear → cosine'],
  [change('resume', null, 'true'), 'resume – → true'],
  [change('weight_decay', '0', '0.01'), 'decay 0 → 0.01'],
])('says a change in short', (one, text) => expect(changeText(one)).toBe(text))

it('puts first what people look for first', () => {
  const all = [change('output_dir', 'a', 'b'), change('learning_rate', '1', '2')]
  expect(changeTexts(all)).toEqual(['lr 1 → 2', 'output_dir a → b'])
})

it('says how many more there are', () => {
  expect(firstChanges(['a', 'b', 'c'], 2)).toBe('a, b +1')
  expect(firstChanges(['a', 'b'], 2)).toBe('a, b')
  expect(firstChanges([], 2)).toBe('')
})
