using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>Tokens as a chat client reports them, with what cannot be true taken as not reported.</summary>
internal static class ChatUsage
{
    // No response of any model comes near it; sums of thousands of such counts still fit a long.
    private const long Largest = int.MaxValue;

    public static TokenUsage ToTokenUsage(UsageDetails? details)
    {
        long prompt = Read(details?.InputTokenCount) ?? 0;
        long cached = Read(details?.CachedInputTokenCount) ?? 0;
        return new TokenUsage(prompt, Read(details?.OutputTokenCount) ?? 0, cached <= prompt ? cached : 0);
    }

    public static UsageDetails ToDetails(TokenUsage usage) => new()
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.ResponseTokens,
        TotalTokenCount = usage.TotalTokens,
        CachedInputTokenCount = usage.CachedPromptTokens,
    };

    /// <summary>Adds up what several calls report; null where none reports anything.</summary>
    public static UsageDetails? Sum(IReadOnlyList<ChatResponse> responses)
    {
        UsageDetails? sum = null;
        for (int index = 0; index < responses.Count; index++)
        {
            if (responses[index].Usage is { } usage)
            {
                UsageDetails read = Sanitised(usage);
                if (sum is null)
                {
                    sum = read;
                }
                else
                {
                    sum.Add(read);
                }
            }
        }

        return sum;
    }

    private static UsageDetails Sanitised(UsageDetails usage)
    {
        long? input = Read(usage.InputTokenCount);
        long? output = Read(usage.OutputTokenCount);
        UsageDetails sanitised = new()
        {
            InputTokenCount = input,
            OutputTokenCount = output,

            // Where the parts are known, their sum is the total: a total of its own could only contradict them.
            TotalTokenCount = input is null && output is null ? Read(usage.TotalTokenCount) : (input ?? 0) + (output ?? 0),
            CachedInputTokenCount = Read(usage.CachedInputTokenCount),
            ReasoningTokenCount = Read(usage.ReasoningTokenCount),
        };
        foreach ((string name, long count) in usage.AdditionalCounts ?? [])
        {
            if (Read(count) is { } read)
            {
                (sanitised.AdditionalCounts ??= [])[name] = read;
            }
        }

        return sanitised;
    }

    private static long? Read(long? count) => count is >= 0 and <= Largest ? count : null;
}
