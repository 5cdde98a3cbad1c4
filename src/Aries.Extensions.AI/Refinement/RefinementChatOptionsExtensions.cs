using System.Globalization;
using Aries.Extensions.AI;

namespace Microsoft.Extensions.AI;

/// <summary>Settings of a refining client that hold for one request.</summary>
public static class RefinementChatOptionsExtensions
{
    /// <summary>Returns options under which a refining client refines this request by settings of its own. What is null stays as the client has it.</summary>
    /// <param name="options">What is asked otherwise; null for nothing. Not changed.</param>
    /// <param name="maxTurns">The largest number of drafts; 1 or greater.</param>
    /// <param name="tokenBudget">The largest number of tokens of all calls together; 1 or greater.</param>
    /// <param name="timeBudget">How long the request may take; greater than zero.</param>
    /// <param name="streamDrafts">Whether a stream also gives the drafts.</param>
    /// <returns>A copy.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range.</exception>
    public static ChatOptions WithRefinement(
        this ChatOptions? options, int? maxTurns = null, long? tokenBudget = null, TimeSpan? timeBudget = null, bool? streamDrafts = null)
    {
        if (maxTurns < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(maxTurns), maxTurns, "A request has 1 turn at least; WithoutRefinement passes it on as it is.");
        }

        if (tokenBudget < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(tokenBudget), tokenBudget, "A budget of tokens is 1 or greater.");
        }

        if (timeBudget <= TimeSpan.Zero)
        {
            throw new ArgumentOutOfRangeException(nameof(timeBudget), timeBudget, "A budget of time is greater than zero.");
        }

        (ChatOptions copy, AdditionalPropertiesDictionary properties) = Copy(options);
        properties[RefinementProperties.IsEnabled] = true;
        Set(properties, RefinementProperties.MaxTurns, maxTurns);
        Set(properties, RefinementProperties.TokenBudget, tokenBudget);
        Set(properties, RefinementProperties.TimeBudget, timeBudget?.TotalSeconds);
        Set(properties, RefinementProperties.StreamDrafts, streamDrafts);
        return copy;
    }

    /// <summary>Returns options under which a refining client passes this request on as it is.</summary>
    /// <param name="options">What is asked otherwise; null for nothing. Not changed.</param>
    /// <returns>A copy.</returns>
    public static ChatOptions WithoutRefinement(this ChatOptions? options)
    {
        (ChatOptions copy, AdditionalPropertiesDictionary properties) = Copy(options);
        properties[RefinementProperties.IsEnabled] = false;
        return copy;
    }

    /// <summary>Returns the client's settings with those of the request in their place; null where the request is not to be refined.</summary>
    internal static SelfRefinementOptions? Resolve(ChatOptions options, SelfRefinementOptions defaults)
    {
        AdditionalPropertiesDictionary properties = options.AdditionalProperties!;
        if (Get<bool>(properties, RefinementProperties.IsEnabled) == false)
        {
            return null;
        }

        SelfRefinementOptions own = defaults with
        {
            MaxTurns = Get<int>(properties, RefinementProperties.MaxTurns) ?? defaults.MaxTurns,
            TokenBudget = Get<long>(properties, RefinementProperties.TokenBudget) ?? defaults.TokenBudget,
            TimeBudget = Get<double>(properties, RefinementProperties.TimeBudget) is { } seconds ? ToTimeSpan(seconds) : defaults.TimeBudget,
            StreamDrafts = Get<bool>(properties, RefinementProperties.StreamDrafts) ?? defaults.StreamDrafts,
        };
        own.Validate();
        return own;
    }

    private static (ChatOptions Options, AdditionalPropertiesDictionary Properties) Copy(ChatOptions? options)
    {
        ChatOptions copy = options?.Clone() ?? new ChatOptions();
        return (copy, copy.AdditionalProperties ??= []);
    }

    private static TimeSpan ToTimeSpan(double seconds) => seconds < TimeSpan.MaxValue.TotalSeconds ? TimeSpan.FromSeconds(Math.Max(seconds, 0))
        : double.IsNaN(seconds) ? throw new ArgumentOutOfRangeException(nameof(seconds), seconds, $"The request's property {RefinementProperties.TimeBudget} must be a number greater than 0.")
        : TimeSpan.MaxValue;

    private static void Set<T>(AdditionalPropertiesDictionary properties, string name, T? value)
        where T : struct
    {
        if (value is { } set)
        {
            properties[name] = set;
        }
    }

    private static T? Get<T>(AdditionalPropertiesDictionary properties, string name)
        where T : struct, IParsable<T> => !properties.TryGetValue(name, out object? value) ? null
        : value is T typed ? typed
        : T.TryParse(Convert.ToString(value, CultureInfo.InvariantCulture), CultureInfo.InvariantCulture, out T parsed) ? parsed
        : throw new ArgumentException($"The request's property {name} is \"{value}\", and it must be of type {typeof(T).Name}.", nameof(properties));
}
