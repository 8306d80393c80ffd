package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Pictures are drawn small, so that their letters can be read on a phone, where
// they are shrunk to its width, and do not shout in two columns of a desk.
const (
	pictureWidth  = 500 // units of the SVG, CSS pixels at full size
	pictureHeight = 290
	letters       = 11.5
)

// Roles of colours. They are drawn in colours that nobody else uses and then
// become CSS variables, by which one picture serves light and dark.
var (
	ink   = color.RGBA{R: 1, A: 255}
	muted = color.RGBA{R: 2, A: 255}
	rule  = color.RGBA{R: 3, A: 255}
	bad   = color.RGBA{R: 4, A: 255}
)

// series is how many labels have a colour, a mark and a dash of their own; more
// begin again.
const series = 6

func seriesColor(i int) color.Color { return color.RGBA{R: 5, G: uint8(i % series), A: 255} }

var (
	styles    = regexp.MustCompile(`style="[^"]*"`)
	svgOpen   = regexp.MustCompile(`(?s)^.*?<svg[^>]*>`)
	typefaces = regexp.MustCompile(`font-(?:family|variant|weight|style):[^;"]*;?`)
	variables = func() *strings.Replacer {
		pairs := []string{"#010000", "var(--ink)", "#020000", "var(--muted)", "#030000", "var(--rule)", "#040000", "var(--bad)"}
		for i := range series {
			pairs = append(pairs, fmt.Sprintf("#05%02X00", i), fmt.Sprintf("var(--s%d)", i))
		}
		return strings.NewReplacer(pairs...)
	}()
)

// dashes tell series apart where colours do not.
var dashes = [series][]vg.Length{nil, {7, 3}, {2, 3}, {9, 3, 2, 3}, {4, 2}, {12, 4}}

var glyphs = [series]draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{},
}

func lineStyle(i int) draw.LineStyle {
	return draw.LineStyle{Color: seriesColor(i), Width: 2, Dashes: dashes[i%series]}
}

// newPlot returns an empty plot in the page's looks; the caller gives the axes
// their ranges and ticks.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		// Liberation Sans has the widths of Arial and Helvetica, one of which every
		// browser finds: text stands where it was measured to stand.
		axis.Label.TextStyle.Font = font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, letters)
		axis.Label.TextStyle.Color = muted
		axis.Label.Padding = 4
		axis.Tick.Label.Font = axis.Label.TextStyle.Font
		axis.Tick.Label.Color = muted
		axis.Tick.LineStyle.Color = rule
		axis.Tick.Length = 4
		axis.Padding = 0
	}
	p.X.LineStyle.Color = muted
	p.X.LineStyle.Width = 1
	p.Y.LineStyle.Width = 0
	p.Y.Tick.LineStyle.Width = 0
	p.X.Label.Text = x
	p.Y.Label.Text = y
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color = rule
	grid.Horizontal.Width = 1
	p.Add(grid)
	return p
}

// picture draws p as SVG to be put into the page. label tells those who do not
// see it what it shows.
func picture(p *plot.Plot, label string) (template.HTML, error) {
	c := vgsvg.New(pictureWidth, pictureHeight)
	// Room for half a tick's text that stands at an end of an axis.
	p.Draw(draw.Crop(draw.New(c), 2, -14, 2, -8))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw %q: %w", label, err)
	}
	// Text is escaped, quotes too, so nothing in it looks like a style.
	svg := styles.ReplaceAllStringFunc(b.String(), func(s string) string {
		return variables.Replace(typefaces.ReplaceAllString(s, ""))
	})
	open := fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, pictureWidth, pictureHeight, template.HTMLEscapeString(label))
	return template.HTML(svgOpen.ReplaceAllLiteralString(svg, open)), nil
}

// fromZero gives the axis a range from zero to somewhat above most, and ticks at
// round numbers.
func fromZero(a *plot.Axis, most float64) {
	// What is next to nothing is drawn as nothing: steps between such numbers
	// vanish in rounding.
	if most < 1e-9 {
		most = 1
	}
	step := roundStep(most / 6)
	a.Min, a.Max = 0, math.Ceil(most*1.03/step)*step
	var ticks plot.ConstantTicks
	for i := 0; float64(i)*step <= a.Max*1.0001; i++ {
		v := float64(i) * step
		ticks = append(ticks, plot.Tick{Value: v, Label: short(v)})
	}
	a.Tick.Marker = ticks
}

// roundStep returns the smallest of 1, 2, 2.5, 5 times a power of ten that is
// not below v.
func roundStep(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*p >= v*0.9999 {
			return f * p
		}
	}
	return 10 * p
}

// logarithmic gives the axis a range around [least, most], both above 0, that
// ends at 1, 2 or 5 times a power of ten, and ticks at the powers; over less than
// two decades at 2 and 5 times as well.
func logarithmic(a *plot.Axis, least, most float64, format func(float64) string) {
	a.Scale = plot.LogScale{}
	a.Min, a.Max = least, most
	var all, powers plot.ConstantTicks
	for d := math.Floor(math.Log10(least)) - 1; d <= math.Ceil(math.Log10(most)); d++ {
		for _, f := range []float64{1, 2, 5} {
			v := f * math.Pow(10, d)
			if v <= least*1.0001 {
				a.Min = v
			}
			if v >= most*0.9999 && a.Max <= most {
				a.Max = v
			}
			all = append(all, plot.Tick{Value: v, Label: format(v)})
			if f == 1 {
				powers = append(powers, plot.Tick{Value: v, Label: format(v)})
			}
		}
	}
	if a.Max <= a.Min {
		a.Max = a.Min * 10
	}
	a.Tick.Marker = powers
	if a.Max/a.Min < 100 {
		a.Tick.Marker = all
	}
}

// addLine adds a series, with a mark at each point if there are to be marks.
func addLine(p *plot.Plot, points plotter.XYs, i int, marks bool) error {
	if len(points) == 0 {
		return nil
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.LineStyle = lineStyle(i)
	p.Add(line)
	if !marks {
		return nil
	}
	dots, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: seriesColor(i), Radius: 3.5, Shape: glyphs[i%series]}
	p.Add(dots)
	return nil
}

// swatch draws a series' line and mark for the legend.
func swatch(i int, marks bool) (template.HTML, error) {
	return key(lineStyle(i), func(d *draw.Canvas, middle vg.Point) {
		if marks {
			d.DrawGlyphNoClip(draw.GlyphStyle{Color: seriesColor(i), Radius: 3.5, Shape: glyphs[i%series]}, middle)
		}
	})
}

func lineSwatch(style draw.LineStyle) (template.HTML, error) {
	return key(style, func(*draw.Canvas, vg.Point) {})
}

func key(style draw.LineStyle, more func(*draw.Canvas, vg.Point)) (template.HTML, error) {
	const width, height = 30, 12
	c := vgsvg.New(width, height)
	d := draw.New(c)
	d.StrokeLine2(style, 0, height/2, width, height/2)
	more(&d, vg.Point{X: width / 2, Y: height / 2})
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw legend: %w", err)
	}
	svg := styles.ReplaceAllStringFunc(b.String(), variables.Replace)
	open := fmt.Sprintf(`<svg viewBox="0 0 %d %d" width="%d" height="%d" aria-hidden="true">`, width, height, width, height)
	return template.HTML(svgOpen.ReplaceAllLiteralString(svg, open)), nil
}
