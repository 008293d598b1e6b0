/** The parts of ECharts that the page uses, and no others: 1.1 MB of it would come along unused otherwise. */
import { LineChart, ScatterChart } from 'echarts/charts'
import { GraphicComponent, GridComponent } from 'echarts/components'
import { use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

use([LineChart, ScatterChart, GridComponent, GraphicComponent, CanvasRenderer])
