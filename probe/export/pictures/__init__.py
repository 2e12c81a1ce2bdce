"""Pictures as SVG text: pure, styled by classes alone, sized in per cent so that text keeps its size."""
