/**
 * The parts of ECharts that the page uses, and no others: 1.1 MB of it would come along unused otherwise. And the shape of a
 * curve, of which `picture.ts` tells.
 */
import { CustomChart } from 'echarts/charts'
import { GraphicComponent, GridComponent } from 'echarts/components'
import { graphic, registerPostInit, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import { trace, type Traced } from './picture'

use([CustomChart, GridComponent, GraphicComponent, CanvasRenderer])

// Nothing in a chart moves by itself, and yet each would look for movement in ten frames after it was drawn.
registerPostInit((chart) => chart.getZr().setSleepAfterStill(1))

graphic.registerShape(
  'curve',
  graphic.extendShape({
    type: 'curve',
    /** On a canvas it draws by itself; an SVG asks for the outline alone. */
    buildPath(pen, shape) {
      const { curve } = shape as { curve: Traced }
      const canvas = 'getContext' in pen ? pen.getContext() : pen
      if (!canvas) return trace(curve, pen, null)
      trace(curve, canvas, () => {
        canvas.stroke()
        canvas.beginPath()
      })
    },
  }),
)
