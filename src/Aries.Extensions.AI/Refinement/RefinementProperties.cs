using System.Buffers;
using System.Text;
using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>The names under which a request carries its own settings and a response its trace. All values are plain, so that caches and logs can write them.</summary>
internal static class RefinementProperties
{
    public const string IsEnabled = "aries.refinement.enabled";
    public const string MaxTurns = "aries.refinement.max_turns";
    public const string TokenBudget = "aries.refinement.token_budget";
    public const string TimeBudget = "aries.refinement.time_budget_seconds";
    public const string StreamDrafts = "aries.refinement.stream_drafts";
    public const string Trace = "aries.trace";
    public const string AnswerIndex = "aries.answer_index";

    // A writer of JSON asks for 4 KB at a time: kept a thread, as long as it is small.
    private const int LargestKeptBuffer = 64 * 1024;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    private static readonly string[] OfRequests = [IsEnabled, MaxTurns, TokenBudget, TimeBudget, StreamDrafts];

    /// <summary>Tells whether a request carries settings of its own.</summary>
    public static bool AreIn(ChatOptions? options)
    {
        if (options?.AdditionalProperties is { Count: > 0 } properties)
        {
            foreach (string name in OfRequests)
            {
                if (properties.ContainsKey(name))
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Returns a copy of the options without the settings, which mean nothing to the client beneath.</summary>
    public static ChatOptions Without(ChatOptions options)
    {
        ChatOptions copy = options.Clone();
        foreach (string name in OfRequests)
        {
            copy.AdditionalProperties!.Remove(name);
        }

        if (copy.AdditionalProperties!.Count == 0)
        {
            copy.AdditionalProperties = null;
        }

        return copy;
    }

    /// <summary>Writes what came of a refinement.</summary>
    public static AdditionalPropertiesDictionary Write(AdditionalPropertiesDictionary? others, RefinementTrace trace, int answerIndex)
    {
        ArrayBufferWriter<byte> line = _buffer ??= new ArrayBufferWriter<byte>();
        line.ResetWrittenCount();
        TraceJsonl.WriteLine(line, trace);
        if (line.Capacity > LargestKeptBuffer)
        {
            _buffer = null;
        }

        AdditionalPropertiesDictionary properties = others is null ? [] : new AdditionalPropertiesDictionary(others);
        properties[Trace] = Encoding.UTF8.GetString(line.WrittenSpan[..^1]);
        properties[AnswerIndex] = answerIndex;
        return properties;
    }
}
