/** What stands open over the page: the task selector and the help sheet, opened by a click or by a key from anywhere. */
import { reactive } from 'vue'

export const open = reactive({ selector: false, help: false })
