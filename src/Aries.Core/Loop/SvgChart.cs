using System.Globalization;
using System.Net;
using System.Text;

namespace Aries;

/// <summary>A line chart of shares (0 to 1) over rounds, as inline SVG.</summary>
internal static class SvgChart
{
    private const int Width = 640;
    private const int Height = 280;
    private const int Left = 48;
    private const int Right = 90;
    private const int Top = 16;
    private const int Bottom = 32;

    // Okabe and Ito's colours, which stay apart for colour-blind readers on light and on dark ground.
    private static readonly string[] Colors = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"];

    public static void Append(StringBuilder html, string title, int[] rounds, IReadOnlyList<(string Name, double?[] Values)> series)
    {
        double[] all = [.. series.SelectMany(line => line.Values).Where(value => value is not null).Select(value => value!.Value)];
        double low = Math.Floor(all.Min() * 10) / 10;
        double high = Math.Max(Math.Ceiling(all.Max() * 10) / 10, low + 0.1);
        html.Append(CultureInfo.InvariantCulture, $"<figure><svg viewBox=\"0 0 {Width} {Height}\" width=\"{Width}\" height=\"{Height}\" role=\"img\" font-size=\"12\" fill=\"currentColor\">\n")
            .Append("<title>").Append(WebUtility.HtmlEncode(title)).Append("</title>\n");
        for (int i = 0; i <= 4; i++)
        {
            double value = low + ((high - low) * i / 4);
            string y = Format(Y(value));
            html.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{y}\" y2=\"{y}\" stroke=\"currentColor\" stroke-opacity=\".15\"/>")
                .Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 6}\" y=\"{Format(Y(value) + 4)}\" text-anchor=\"end\">{Format(value * 100)} %</text>\n");
        }

        for (int i = 0; i < rounds.Length; i++)
        {
            html.Append(CultureInfo.InvariantCulture, $"<text x=\"{Format(X(i))}\" y=\"{Height - 10}\" text-anchor=\"middle\">{rounds[i]}</text>\n");
        }

        double labelAbove = double.NegativeInfinity;
        foreach ((string name, double?[] values, string color) in series
            .Select((line, i) => (line.Name, line.Values, Color: Colors[i % Colors.Length]))
            .OrderByDescending(line => line.Values[^1] ?? low))
        {
            (double X, double Y)[] points = [.. values.Select((value, i) => (value, i)).Where(item => item.value is not null).Select(item => (X(item.i), Y(item.value!.Value)))];
            html.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" points=\"{string.Join(' ', points.Select(point => $"{Format(point.X)},{Format(point.Y)}"))}\"/>");
            foreach ((double x, double y) in points)
            {
                html.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{Format(x)}\" cy=\"{Format(y)}\" r=\"3\" fill=\"{color}\"/>");
            }

            // Labels of lines that end close together are moved apart.
            labelAbove = Math.Max(Y(values[^1] ?? low) + 4, labelAbove + 14);
            html.Append(CultureInfo.InvariantCulture, $"<text x=\"{Width - Right + 8}\" y=\"{Format(labelAbove)}\" fill=\"{color}\">").Append(WebUtility.HtmlEncode(name)).Append("</text>\n");
        }

        html.Append("</svg></figure>\n");

        double X(int index) => Left + ((Width - Left - Right) * (rounds.Length == 1 ? 0.5 : (double)index / (rounds.Length - 1)));
        double Y(double value) => Top + ((Height - Top - Bottom) * (high - value) / (high - low));
    }

    private static string Format(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
