/** The components, put into the document in the language of the settings. */
import { createApp, watchEffect } from 'vue'
import App from './App.vue'
import { useSession } from './data/session'
import { applyLanguage, i18n } from './i18n'

export function stand(): void {
  const session = useSession()
  watchEffect(() => applyLanguage(session.language.value))
  createApp(App).use(i18n).mount('#app')
}
