/** What a person chose or dropped, as files with their paths below it. */
import type { ChosenFile } from '@/data/upload'

/** In a folder these lie beside a history and are none; a model's weights are gigabytes. */
const NO_HISTORY =
  /\.(safetensors|bin|pt|pth|ckpt|onnx|gguf|npz|npy|pkl|parquet|arrow|model|png|jpe?g|webp|gif|mp4|wav|zip|tar|py)$/i

export const isWorthSending = (path: string): boolean => !path.includes('/') || !NO_HISTORY.test(path)

export function chosenFiles(list: FileList): ChosenFile[] {
  return [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name }))
}

/** Call it in the drop's own event: the browser forgets what was dropped afterwards. */
export async function droppedFiles(data: DataTransfer): Promise<ChosenFile[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null)
  if (entries.length === 0) return chosenFiles(data.files)
  return (await Promise.all(entries.map((entry) => filesOf(entry, '')))).flat()
}

async function filesOf(entry: FileSystemEntry, folder: string): Promise<ChosenFile[]> {
  const path = folder + entry.name
  if (entry.isFile) {
    if (!isWorthSending(path)) return []
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
    return [{ file, path }]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: ChosenFile[] = []
  for (;;) {
    // A reader gives a hundred at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return found
    for (const each of some) found.push(...(await filesOf(each, `${path}/`)))
  }
}
