namespace Aries;

/// <summary>What an <see cref="AriesLoop"/> learns from and is judged on.</summary>
/// <threadsafety>Immutable, provided that nobody changes the lists.</threadsafety>
public sealed record AriesLoopData
{
    /// <summary>Gets the prompts of the rounds, without answers: round t takes the t-th slice of <see cref="AriesLoopOptions.PromptsPerRound"/>, in order.</summary>
    /// <value>At least rounds × prompts a round; what is left over is not used. The default is none.</value>
    public IReadOnlyList<Prompt> Prompts { get; init; } = [];

    /// <summary>Gets the held-out prompts that each round's policy is judged on; none of them may be a prompt to learn from.</summary>
    /// <value>The default is none: no evaluation.</value>
    public IReadOnlyList<Prompt> EvaluationPrompts { get; init; } = [];

    /// <summary>Gets the labelled triples (x, y_w, y_l) of the supervised warm-up, ARIES, Eq. 4.</summary>
    /// <value>The default is none: no warm-up.</value>
    public IReadOnlyList<PreferencePair> WarmUpPairs { get; init; } = [];

    /// <summary>Gets the labelled pairs of the offline preference training, whose reference is the policy after the warm-up.</summary>
    /// <value>The default is none: no offline training.</value>
    public IReadOnlyList<PreferencePair> OfflinePairs { get; init; } = [];

    internal void Validate(AriesLoopOptions options)
    {
        CheckPrompts(Prompts, nameof(Prompts));
        CheckPrompts(EvaluationPrompts, nameof(EvaluationPrompts));
        CheckPairs(WarmUpPairs, nameof(WarmUpPairs));
        CheckPairs(OfflinePairs, nameof(OfflinePairs));
        long needed = (long)options.RoundCount * options.PromptsPerRound;
        if (Prompts.Count < needed)
        {
            throw Error(
                $"{options.RoundCount} rounds of {options.PromptsPerRound} prompts need {needed} prompts, but there are {Prompts.Count}. Give more, or lower RoundCount or PromptsPerRound.",
                nameof(Prompts));
        }

        HashSet<Prompt> learnt = [.. Prompts.Take((int)needed), .. WarmUpPairs.Select(pair => pair.Prompt), .. OfflinePairs.Select(pair => pair.Prompt)];
        List<Prompt> leaked = [.. EvaluationPrompts.Where(learnt.Contains)];
        if (leaked.Count > 0)
        {
            throw Error(
                $"{leaked.Count} of the {EvaluationPrompts.Count} evaluation prompts are also learnt from, so the evaluation would not be of held-out prompts; the first is \"{leaked[0]}\". Remove them from one side.",
                nameof(EvaluationPrompts));
        }
    }

    private static ArgumentException Error(string message, string name) => new(message, name);

    private static void CheckPrompts(IReadOnlyList<Prompt> prompts, string name)
    {
        ArgumentNullException.ThrowIfNull(prompts, name);
        for (int i = 0; i < prompts.Count; i++)
        {
            if (prompts[i] is null || prompts[i].IsBlank)
            {
                throw new ArgumentException($"{name}[{i}] is {(prompts[i] is null ? "null" : "blank")}; a prompt needs text.", name);
            }
        }
    }

    private static void CheckPairs(IReadOnlyList<PreferencePair> pairs, string name)
    {
        ArgumentNullException.ThrowIfNull(pairs, name);
        for (int i = 0; i < pairs.Count; i++)
        {
            if (pairs[i] is null || pairs[i].Prompt.IsBlank)
            {
                throw new ArgumentException($"{name}[{i}] {(pairs[i] is null ? "is null" : "has a blank prompt")}; a pair needs a prompt with text.", name);
            }
        }
    }
}
