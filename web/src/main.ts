/** Starts the page: theme and language before the first paint, then the session, then the components. */
import { createApp, watchEffect } from 'vue'
import App from './App.vue'
import { useSession } from './data/session'
import { applyLanguage, i18n } from './i18n'
import './styles/index.css'

// The browser would keep an entry for each request, and nobody reads them: 250 after 30 minutes of a training watched live.
performance.setResourceTimingBufferSize(0)

const session = useSession()
watchEffect(() => {
  document.documentElement.dataset.theme = session.theme.value
  applyLanguage(session.language.value)
})
// The page stands when its settings are known or cannot be had: otherwise it would show one language and turn to another.
void session.start().finally(() => createApp(App).use(i18n).mount('#app'))
