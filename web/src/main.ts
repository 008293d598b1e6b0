/**
 * Starts the page: the theme before the first paint, then the session. The components, a megabyte of script that takes 60 ms
 * to run, come when the session has asked for the first points: these are made and travel meanwhile.
 */
import { watchEffect } from 'vue'
import { useSession } from './data/session'
import './styles/index.css'

// The browser would keep an entry for each request, and nobody reads them: 250 after 30 minutes of a training watched live.
performance.setResourceTimingBufferSize(0)

const session = useSession()
watchEffect(() => {
  document.documentElement.dataset.theme = session.theme.value
})
// The page stands when its settings are known or cannot be had: otherwise it would show one language and turn to another.
void session.start().finally(async () => (await import('./standing')).stand())
