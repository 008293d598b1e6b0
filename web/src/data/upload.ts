/** Files from the person's machine to POST /api/imports. By XMLHttpRequest: `fetch` does not tell how much was sent. */
import type { ErrorAnswer, ImportProgress, TakenIn } from '../wire'
import { refusal, RequestFailed } from './api'

/** As the server has it (docs/server.md). */
export const MOST_BYTES = 2 * 1024 ** 3
export const MOST_FILES = 2000

export interface ChosenFile {
  file: File
  /** Below what was chosen or dropped, with `/`. */
  path: string
}

type Said = ImportProgress | TakenIn | ErrorAnswer

/** The whole lines of an answer that still comes. */
export function saidSoFar(text: string): Said[] {
  const lines = text.split('\n')
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Said)
}

/** `sent` gets the share of the bytes that is sent, `read` that of their import, 0 to 1. Taken back by `signal`, in
 * either part, it fails as `isAborted` says, and nothing of it is kept. */
export function upload(
  files: readonly ChosenFile[],
  sent: (share: number) => void,
  read: (share: number) => void,
  signal: AbortSignal,
) {
  const form = new FormData()
  for (const { file, path } of files) {
    form.append('file', file, path)
    form.append('modified', String(file.lastModified))
  }
  return new Promise<TakenIn>((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', 'api/imports')
    request.upload.onprogress = (event) => sent(event.total > 0 ? event.loaded / event.total : 0)
    request.onprogress = () => {
      const last = request.status === 200 ? saidSoFar(request.responseText).at(-1) : undefined
      if (last && 'share' in last) read(last.share)
    }
    request.onload = () => {
      if (request.status === 200) {
        const last = saidSoFar(request.responseText).at(-1)
        if (last && 'imported' in last) resolve(last)
        else if (last && 'error' in last) reject(new RequestFailed(last.error, 422))
        else request.onerror?.(new ProgressEvent('error'))
      } else {
        const answer = new Response(request.responseText, { status: request.status, statusText: request.statusText })
        refusal(answer).then((body) => reject(new RequestFailed(body, request.status)), reject)
      }
    }
    request.onerror = () =>
      reject(
        new RequestFailed(
          {
            code: 'unreachable',
            what: 'Stepline does not answer.',
            why: 'The connection ended, or a file changed or could not be read while it was sent.',
            action: 'Try again.',
            lost: null,
          },
          0,
        ),
      )
    request.onabort = () => reject(new DOMException('Taken back', 'AbortError'))
    signal.addEventListener('abort', () => request.abort())
    request.send(form)
  })
}
