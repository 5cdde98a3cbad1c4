using System.Buffers;
using System.Text.Json;

namespace Aries;

/// <summary>Reads and writes chains as JSONL: UTF-8, one chain a line, split on \n only.</summary>
/// <remarks>
/// <para>Equal chains give equal bytes, and a chain that is read is the chain that was written, provided that its texts are valid Unicode (a lone surrogate is written as U+FFFD).
/// The exception is <see cref="TokenUsage.CachedPromptTokens"/>, which is not written: it tells what one process happened to have in memory, and a chain that was drawn again would differ.</para>
/// <code>{"id":"p1","prompt":"…","steps":[{"kind":"draft","text":"…","finish":"stop","prompt_tokens":12,"response_tokens":7,"score":0.5}],"stop":"completed"}</code>
/// <para>
/// A prompt of several turns is a list of <c>{"role","content"}</c>. A score with a remark has <c>score_note</c>; a response that could not be scored has
/// <c>score_invalid</c> in place of <c>score</c>. Keys that are not known are ignored on reading.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public static class TraceJsonl
{
    /// <summary>Writes one chain as a line, its \n included.</summary>
    /// <param name="output">Receives the bytes.</param>
    /// <param name="trace">The chain.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static void WriteLine(IBufferWriter<byte> output, RefinementTrace trace)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(trace);
        JsonlWriter.WriteLine(output, trace, Write);
    }

    /// <summary>Parses one line.</summary>
    /// <param name="line">The line's bytes, with or without its \n.</param>
    /// <param name="source">The file's path or a name, for the error.</param>
    /// <param name="lineNumber">The number of the line, from 1, for the error.</param>
    /// <exception cref="ArgumentNullException"><paramref name="source"/> is null.</exception>
    /// <exception cref="JsonlFormatException">The line is not a chain.</exception>
    public static RefinementTrace ParseLine(ReadOnlyMemory<byte> line, string source, long lineNumber)
    {
        ArgumentNullException.ThrowIfNull(source);
        return JsonlReader.Parse(line, source, lineNumber, Read);
    }

    /// <summary>Reads the chains of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Looked at once a line.</param>
    /// <returns>The chains, in the file's order, read as they are asked for.</returns>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="JsonlFormatException">A line is not a chain; the lines before it were given.</exception>
    public static IAsyncEnumerable<RefinementTrace> ReadAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return JsonlReader.ReadFileAsync(path, Read, cancellationToken);
    }

    /// <summary>Reads the chains of a stream, which stays open.</summary>
    /// <param name="stream">The bytes.</param>
    /// <param name="source">A name for errors.</param>
    /// <param name="cancellationToken">Looked at once a line.</param>
    /// <returns>The chains, in order, read as they are asked for.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="JsonlFormatException">A line is not a chain; the lines before it were given.</exception>
    public static IAsyncEnumerable<RefinementTrace> ReadAsync(Stream stream, string source, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(source);
        return JsonlReader.ReadAsync(stream, source, Read, cancellationToken);
    }

    private static void Write(Utf8JsonWriter writer, RefinementTrace trace)
    {
        writer.WriteStartObject();
        writer.WriteString("id", trace.Id);
        PromptJson.Write(writer, "prompt", trace.Prompt);
        writer.WriteStartArray("steps");
        foreach (TraceStep step in trace.Steps)
        {
            Write(writer, step);
        }

        writer.WriteEndArray();
        if (trace.StopReason is { } reason)
        {
            writer.WriteString("stop", StopNames.Name(reason));
        }

        if (trace.Error is not null)
        {
            writer.WriteString("error", trace.Error);
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, TraceStep step)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", KindNames.Name(step.Kind));
        writer.WriteString("text", step.Text);
        writer.WriteString("finish", FinishNames.Name(step.FinishReason));
        writer.WriteNumber("prompt_tokens", step.Usage.PromptTokens);
        writer.WriteNumber("response_tokens", step.Usage.ResponseTokens);
        if (step.Score is { IsValid: true } score)
        {
            writer.WriteNumber("score", score.Value);
            if (score.Diagnostic is not null)
            {
                writer.WriteString("score_note", score.Diagnostic);
            }
        }
        else if (step.Score is { } invalid)
        {
            writer.WriteString("score_invalid", invalid.Diagnostic ?? "");
        }

        writer.WriteEndObject();
    }

    private static RefinementTrace Read(JsonlObject line) => new()
    {
        Id = line.GetString("id"),
        Prompt = PromptJson.Read(line, "prompt"),
        Steps = [.. line.GetObjects("steps", line.Need("steps")).Select(ReadStep)],
        StopReason = line.FindString("stop") is { } stop ? StopNames.Parse(line, "stop", stop) : null,
        Error = line.FindString("error"),
    };

    private static TraceStep ReadStep(JsonlObject step) => new()
    {
        Kind = KindNames.Parse(step, "kind", step.GetString("kind")),
        Text = step.GetString("text"),
        FinishReason = FinishNames.Parse(step, "finish", step.GetString("finish")),
        Usage = new TokenUsage(step.FindCount("prompt_tokens"), step.FindCount("response_tokens")),
        Score = ReadScore(step),
    };

    private static RewardScore? ReadScore(JsonlObject step)
    {
        if (step.FindString("score_invalid") is { } reason)
        {
            return string.IsNullOrWhiteSpace(reason) ? default(RewardScore) : RewardScore.Invalid(reason);
        }

        return step.FindNumber("score") is { } value ? new RewardScore(value, step.FindString("score_note")) : null;
    }

    private static readonly JsonNames<RefinementStepKind> KindNames = new(
        (RefinementStepKind.Draft, "draft"), (RefinementStepKind.Feedback, "feedback"));

    private static readonly JsonNames<FinishReason> FinishNames = new(
        (FinishReason.Stop, "stop"), (FinishReason.Length, "length"), (FinishReason.ContentFilter, "content-filter"), (FinishReason.Error, "error"));

    private static readonly JsonNames<RefinementStopReason> StopNames = new(
        (RefinementStopReason.Completed, "completed"),
        (RefinementStopReason.Unchanged, "unchanged"),
        (RefinementStopReason.NoGain, "no-gain"),
        (RefinementStopReason.ThresholdReached, "threshold-reached"),
        (RefinementStopReason.TokenBudget, "token-budget"),
        (RefinementStopReason.TimeBudget, "time-budget"),
        (RefinementStopReason.Failed, "failed"));
}
