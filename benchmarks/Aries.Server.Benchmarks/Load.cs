using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Aries.Server.Benchmarks;

/// <summary>Clients that ask one server, each as soon as it has its answer, for a while.</summary>
internal sealed class Load(HttpClient http, int clientCount, TimeSpan duration)
{
    private static readonly string[] Items = ["apples", "books", "coins", "cards", "eggs", "pens", "shells", "stamps"];
    private int _asked;

    /// <summary>Gets each request's time until its first text (of a whole answer, until its end), in seconds.</summary>
    public List<double> FirstTextSeconds { get; } = [];

    /// <summary>Gets the answers a second.</summary>
    public double RequestsPerSecond { get; private set; }

    public async Task RunAsync(bool streams)
    {
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, clientCount).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(start) < duration)
            {
                double first = await AskAsync(streams);
                lock (FirstTextSeconds)
                {
                    FirstTextSeconds.Add(first);
                }
            }
        })));
        RequestsPerSecond = FirstTextSeconds.Count / Stopwatch.GetElapsedTime(start).TotalSeconds;
        FirstTextSeconds.Sort();
    }

    /// <summary>Gets the time that a share of the requests did not exceed.</summary>
    public double Quantile(double share) => FirstTextSeconds[(int)Math.Min(share * FirstTextSeconds.Count, FirstTextSeconds.Count - 1)];

    private async Task<double> AskAsync(bool streams)
    {
        // No two questions are alike, so that no answer is had for nothing.
        int number = Interlocked.Increment(ref _asked);
        string question = $"Ivy has {10 + (number % 80)} {Items[number % Items.Length]}, sells {2 + (number / 8 % 8)}, drops 2, loses 6 and drops {2 + (number / 64 % 8)}. How many?";
        JsonObject body = new()
        {
            ["model"] = "quickstart",
            ["stream"] = streams,
            ["temperature"] = 0.7,
            ["seed"] = number,
            ["max_tokens"] = 32,
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = question }),
        };
        long start = Stopwatch.GetTimestamp();
        using HttpRequestMessage message = new(HttpMethod.Post, "chat/completions") { Content = JsonContent.Create(body) };
        using HttpResponseMessage response = await http.SendAsync(message, streams ? HttpCompletionOption.ResponseHeadersRead : HttpCompletionOption.ResponseContentRead);
        response.EnsureSuccessStatusCode();
        return streams ? await ReadAsync(response, start) : Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task<double> ReadAsync(HttpResponseMessage response, long start)
    {
        double? first = null;
        bool isDone = false;
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        while (await reader.ReadLineAsync() is { } line)
        {
            if (first is null && line.Contains("\"content\":\"", StringComparison.Ordinal) && !line.Contains("\"content\":\"\"", StringComparison.Ordinal))
            {
                first = Stopwatch.GetElapsedTime(start).TotalSeconds;
            }

            isDone |= line == "data: [DONE]";
        }

        return isDone && first is { } seconds ? seconds : throw new InvalidOperationException("A stream ended without its text.");
    }
}
